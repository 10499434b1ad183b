//! The fields of the catalog's bodies.

use super::super::{
    super::reader::{Field, Fields, Shape},
    service::{SERVICE_ADDRESS, SERVICE_PORT, WEIGHTS},
};

const TEXTS: Shape = Shape::List(&Shape::Text);

pub(super) static REGISTRATION: Fields = Fields {
    owner: "RegisterRequest",
    kind: "structs.RegisterRequest",
    fields: &[
        Field::new("ID", Shape::Text),
        Field::new("Node", Shape::Text),
        Field::new("Address", Shape::Text),
        Field::new("TaggedAddresses", Shape::Map(&Shape::Text)),
        Field::new("NodeMeta", Shape::Map(&Shape::Text)),
        Field::new("Datacenter", Shape::Text),
        Field::new("Service", Shape::Object(&SERVICE)),
        Field::new("Check", Shape::Object(&CHECK)),
        Field::new("Checks", Shape::List(&Shape::Object(&CHECK))),
        Field::new("SkipNodeUpdate", Shape::Bool),
        Field::new("Locality", Shape::Any),
        Field::new("Token", Shape::Text),
        Field::new("PeerName", Shape::Text),
    ],
    common: &[],
    open: false,
};

static SERVICE: Fields = Fields {
    owner: "NodeService",
    kind: "structs.NodeService",
    fields: &[
        Field::new("Kind", Shape::Text),
        Field::new("ID", Shape::Text),
        Field::new("Service", Shape::Text),
        Field::new("Tags", TEXTS),
        Field::new("Address", Shape::Text),
        Field::new("TaggedAddresses", Shape::Map(&Shape::Object(&SERVICE_ADDRESS))),
        Field::new("Meta", Shape::Map(&Shape::Text)),
        Field::new("Port", Shape::Integer),
        Field::new("Ports", Shape::List(&Shape::Object(&SERVICE_PORT))),
        Field::new("SocketPath", Shape::Text),
        Field::new("Weights", Shape::Object(&WEIGHTS)),
        Field::new("EnableTagOverride", Shape::Bool),
        Field::new("Proxy", Shape::Any),
        Field::new("Connect", Shape::Any),
        Field::new("Locality", Shape::Any),
        Field::new("PeerName", Shape::Text),
        Field::new("CreateIndex", Shape::Integer),
        Field::new("ModifyIndex", Shape::Integer),
    ],
    common: &[],
    open: false,
};

static CHECK: Fields = Fields {
    owner: "HealthCheck",
    kind: "structs.HealthCheck",
    fields: &[
        Field::new("Node", Shape::Text),
        Field::new("CheckID", Shape::Text),
        Field::new("Name", Shape::Text),
        Field::new("Status", Shape::Text),
        Field::new("Notes", Shape::Text),
        Field::new("Output", Shape::Text),
        Field::new("ServiceID", Shape::Text),
        Field::new("ServiceName", Shape::Text),
        Field::new("ServiceTags", TEXTS),
        Field::new("Type", Shape::Text),
        Field::new("Interval", Shape::Text),
        Field::new("Timeout", Shape::Text),
        Field::new("ExposedPort", Shape::Integer),
        Field::new("PeerName", Shape::Text),
        Field::new("Definition", Shape::Object(&DEFINITION)),
        Field::new("CreateIndex", Shape::Integer),
        Field::new("ModifyIndex", Shape::Integer),
    ],
    common: &[],
    open: false,
};

/// Open, as Consul skips here what it does not know.
static DEFINITION: Fields = Fields {
    owner: "HealthCheckDefinition",
    kind: "structs.HealthCheckDefinition",
    fields: &[
        Field::new("HTTP", Shape::Text),
        Field::new("TLSServerName", Shape::Text),
        Field::new("TLSSkipVerify", Shape::Bool),
        Field::new("Header", Shape::Map(&TEXTS)),
        Field::new("Method", Shape::Text),
        Field::new("Body", Shape::Text),
        Field::new("TCP", Shape::Text),
        Field::new("TCPUseTLS", Shape::Bool),
        Field::new("UDP", Shape::Text),
        Field::new("GRPC", Shape::Text),
        Field::new("GRPCUseTLS", Shape::Bool),
        Field::new("Interval", Shape::Duration),
        Field::new("Timeout", Shape::Duration),
        Field::new("DeregisterCriticalServiceAfter", Shape::Duration),
    ],
    common: &[],
    open: true,
};

pub(super) static DEREGISTRATION: Fields = Fields {
    owner: "DeregisterRequest",
    kind: "structs.DeregisterRequest",
    fields: &[
        Field::new("Node", Shape::Text),
        Field::new("Address", Shape::Text),
        Field::new("Datacenter", Shape::Text),
        Field::new("ServiceID", Shape::Text),
        Field::new("CheckID", Shape::Text),
        Field::new("Token", Shape::Text),
        Field::new("PeerName", Shape::Text),
    ],
    common: &[],
    open: false,
};
