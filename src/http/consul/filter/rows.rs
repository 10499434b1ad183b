//! The types of rows that a filter is held against: which selectors there are, and of what type.
//!
//! Taken from what an agent (1.8.7) takes and refuses, and what newer ones added to the rows as
//! text. A field that a row leaves out has the zero of its type.

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Rows {
    /// `health/node`, `health/checks`, `health/state`, `agent/checks`.
    Checks,
    /// `health/service`, `health/connect`, `health/ingress`.
    HealthOfService,
    /// `agent/members`.
    Members,
    /// `catalog/nodes`.
    Nodes,
    /// `catalog/service`, `catalog/connect`, `catalog/services`.
    ServiceNodes,
    /// `agent/services`, `catalog/node`, `catalog/node-services`.
    Services,
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// An object with fields.
    Fields(&'static [(&'static str, Self)]),
    /// An array of them: a selector goes into each, and one is enough.
    List(&'static [(&'static str, Self)]),
    /// An object with keys of any name and fields below each.
    Map(&'static [(&'static str, Self)]),
    /// A whole number.
    Number,
    /// A string.
    Text,
    /// An object of strings.
    TextMap,
    /// An array of strings.
    Texts,
    /// `true` or `false`.
    Truth,
}

use Kind::{Fields, List, Map, Number, Text, TextMap, Texts, Truth};

const ADDRESS: &[(&str, Kind)] = &[("Address", Text), ("Port", Number)];

const CHECK: &[(&str, Kind)] = &[
    ("Node", Text),
    ("CheckID", Text),
    ("Name", Text),
    ("Status", Text),
    ("Notes", Text),
    ("Output", Text),
    ("ServiceID", Text),
    ("ServiceName", Text),
    ("ServiceTags", Texts),
    ("Type", Text),
    ("PeerName", Text),
];

const CONNECT: &[(&str, Kind)] = &[("Native", Truth)];

const EXPOSE: &[(&str, Kind)] = &[("Checks", Truth), ("Paths", List(EXPOSED_PATH))];

const EXPOSED_PATH: &[(&str, Kind)] = &[
    ("ListenerPort", Number),
    ("Path", Text),
    ("LocalPathPort", Number),
    ("Protocol", Text),
    ("ParsedFromCheck", Truth),
];

const HEALTH_OF_SERVICE: &[(&str, Kind)] =
    &[("Node", Fields(NODE)), ("Service", Fields(SERVICE)), ("Checks", List(CHECK))];

const MEMBER: &[(&str, Kind)] = &[
    ("Name", Text),
    ("Addr", Text),
    ("Port", Number),
    ("Tags", TextMap),
    ("Status", Number),
    ("ProtocolMin", Number),
    ("ProtocolMax", Number),
    ("ProtocolCur", Number),
    ("DelegateMin", Number),
    ("DelegateMax", Number),
    ("DelegateCur", Number),
];

const MESH_GATEWAY: &[(&str, Kind)] = &[("Mode", Text)];

const NODE: &[(&str, Kind)] = &[
    ("ID", Text),
    ("Node", Text),
    ("Address", Text),
    ("Datacenter", Text),
    ("TaggedAddresses", TextMap),
    ("Meta", TextMap),
    ("PeerName", Text),
];

const PROXY: &[(&str, Kind)] = &[
    ("DestinationServiceName", Text),
    ("DestinationServiceID", Text),
    ("LocalServiceAddress", Text),
    ("LocalServicePort", Number),
    ("Upstreams", List(UPSTREAM)),
    ("MeshGateway", Fields(MESH_GATEWAY)),
    ("Expose", Fields(EXPOSE)),
];

const SERVICE: &[(&str, Kind)] = &[
    ("Kind", Text),
    ("ID", Text),
    ("Service", Text),
    ("Tags", Texts),
    ("Address", Text),
    ("TaggedAddresses", Map(ADDRESS)),
    ("Meta", TextMap),
    ("Port", Number),
    ("SocketPath", Text),
    ("Weights", Fields(WEIGHTS)),
    ("EnableTagOverride", Truth),
    ("Proxy", Fields(PROXY)),
    ("Connect", Fields(CONNECT)),
    ("PeerName", Text),
];

const SERVICE_NODE: &[(&str, Kind)] = &[
    ("ID", Text),
    ("Node", Text),
    ("Address", Text),
    ("Datacenter", Text),
    ("TaggedAddresses", TextMap),
    ("NodeMeta", TextMap),
    ("ServiceKind", Text),
    ("ServiceID", Text),
    ("ServiceName", Text),
    ("ServiceTags", Texts),
    ("ServiceAddress", Text),
    ("ServiceTaggedAddresses", Map(ADDRESS)),
    ("ServiceWeights", Fields(WEIGHTS)),
    ("ServiceMeta", TextMap),
    ("ServicePort", Number),
    ("ServiceSocketPath", Text),
    ("ServiceEnableTagOverride", Truth),
    ("ServiceProxy", Fields(PROXY)),
    ("ServiceConnect", Fields(CONNECT)),
    ("PeerName", Text),
];

const UPSTREAM: &[(&str, Kind)] = &[
    ("DestinationType", Text),
    ("DestinationNamespace", Text),
    ("DestinationName", Text),
    ("Datacenter", Text),
    ("LocalBindAddress", Text),
    ("LocalBindPort", Number),
    ("MeshGateway", Fields(MESH_GATEWAY)),
];

const WEIGHTS: &[(&str, Kind)] = &[("Passing", Number), ("Warning", Number)];

// === impl Rows ===

impl Rows {
    /// The type of one row.
    pub(super) fn kind(self) -> Kind {
        Fields(match self {
            Self::Checks => CHECK,
            Self::HealthOfService => HEALTH_OF_SERVICE,
            Self::Members => MEMBER,
            Self::Nodes => NODE,
            Self::ServiceNodes => SERVICE_NODE,
            Self::Services => SERVICE,
        })
    }
}
