//! Every maximum of the product, each with its reason.
//!
//! A limit that a client can reach is part of a refusal's text, so that it need not be looked up.

use std::time::Duration;

/// Octets in one DNS label (RFC 1035 §2.3.4).
pub const LABEL_OCTETS_MAX: usize = 63;
/// Octets in one DNS name on the wire, the root's zero included (RFC 1035 §2.3.4).
pub const NAME_OCTETS_MAX: usize = 255;

/// Octets of a character-string, the unit of TXT records: its length is one octet (RFC 1035 §3.3).
pub const CHARACTER_STRING_OCTETS_MAX: usize = 255;

/// Services in one registry: five times the size that the memory budget is measured at.
pub const SERVICES_MAX: usize = 1_000_000;
/// Instances in one registry: twice the size that the memory budget is measured at.
pub const INSTANCES_MAX: usize = 2_000_000;
/// Instances of one service: each change rebuilds the service's answers, so the cost of one
/// change is bounded by this; 10,000 SRV records are already ten times what a TCP reply holds.
pub const SERVICE_INSTANCES_MAX: usize = 10_000;
/// Addresses of one instance: hosts with more interfaces than this name the ones to use.
pub const INSTANCE_ADDRESSES_MAX: usize = 16;
/// Tags of one instance: each is a name to be kept in the service's table.
pub const INSTANCE_TAGS_MAX: usize = 64;
/// Checks of one instance.
pub const INSTANCE_CHECKS_MAX: usize = 16;
/// Metadata entries of one instance.
pub const META_ENTRIES_MAX: usize = 64;
/// Octets of one `key=value`: one TXT character-string (RFC 1035 §3.3.14).
pub const META_PAIR_OCTETS_MAX: usize = CHARACTER_STRING_OCTETS_MAX;
/// Octets of all metadata of one instance, as TXT record data with its length octets. Leaves
/// room for the rest of a record in the smallest table that any peer keeps (4 KiB).
pub const META_OCTETS_MAX: usize = 4_000;
/// Nodes with a state of their own: each machine of a large site, ten times over.
pub const NODES_MAX: usize = 100_000;
/// Octets of what another registry's client calls an instance, and of what that is unique in: twice
/// a host name, which the longest of them are made of.
pub const ORIGIN_NAME_OCTETS_MAX: usize = 512;
/// Octets that are kept of a registration for the clients of another registry: the checks, tags and
/// metadata of one with every field at its limit.
pub const ORIGIN_DOCUMENT_OCTETS_MAX: usize = 128 << 10;
/// Octets of a check's path, of one header's name and value, and of a gRPC service name.
pub const CHECK_TEXT_OCTETS_MAX: usize = 2_048;
/// Octets of the body of one HTTP check's request: a query, not an upload.
pub const CHECK_BODY_OCTETS_MAX: usize = 4_096;
/// Redirects that one HTTP check follows: a chain that is longer is a loop.
pub const CHECK_REDIRECTS_MAX: usize = 10;
/// Headers of one HTTP check.
pub const CHECK_HEADERS_MAX: usize = 16;
/// Shortest interval, timeout or ttl: below it a check measures the scheduler, not the service.
pub const CHECK_PERIOD_MIN: Duration = Duration::from_millis(100);
/// Longest interval or timeout: a day; a longer one is a mistyped unit.
pub const CHECK_PERIOD_MAX: Duration = Duration::from_secs(86_400);
/// Longest ttl: as the longest [`DEREGISTER_AFTER_MAX`]. Jobs report once a day, or once a month.
pub const CHECK_TTL_MAX: Duration = DEREGISTER_AFTER_MAX;
/// Longest `deregister_after`: a year. Some days are common; nobody waits for more than a year.
pub const DEREGISTER_AFTER_MAX: Duration = Duration::from_secs(8_760 * 3_600);
/// Highest `rise` or `fall`.
pub const CHECK_THRESHOLD_MAX: u16 = 100;
/// Octets of a check's output that are kept; the rest is cut. A health page that lists what it
/// depends on fits, and it is what clients of Consul are used to.
pub const CHECK_OUTPUT_OCTETS_MAX: usize = 4_096;

/// Highest TTL of a service, seconds: a day. Service answers are live, long TTLs defeat them.
pub const POLICY_TTL_SECONDS_MAX: u32 = 86_400;
/// Highest `answer_limit`: more address records than this do not fit one TCP reply's use.
pub const POLICY_ANSWER_LIMIT_MAX: u16 = 1_000;

/// Octets of one request's body: a registration with every field at its limit is 670 KB.
pub const HTTP_BODY_OCTETS_MAX: usize = 1 << 20;
/// Octets of a bulk request's body: twice what [`BULK_REGISTRATIONS_MAX`] ordinary ones take.
pub const HTTP_BULK_OCTETS_MAX: usize = 64 << 20;
/// Octets of the bodies of all requests together that are in memory: two of the largest bulks, and
/// as much again for all others.
pub const HTTP_BODIES_OCTETS_MAX: usize = 4 * HTTP_BULK_OCTETS_MAX;
/// Entries of one list or map in a body of Consul's interface: twice as many as the registry takes
/// of any, tags that are labels and as many others. Each becomes several hundred octets.
pub const CONSUL_BODY_ENTRIES_MAX: usize = 4 * INSTANCE_TAGS_MAX;
/// Levels within one body of Eureka's interface: the deepest, metadata of a data centre within all
/// applications, has six.
pub const EUREKA_BODY_DEPTH_MAX: usize = 16;
/// Attributes of one element: there is one at the most, and each is compared with all before it.
pub const EUREKA_BODY_ATTRIBUTES_MAX: usize = 16;
/// Parts (elements, attributes, values) of one body of Eureka's interface, each about 100 octets in
/// memory: four times what the largest batch of a peer has, 250 instances.
pub const EUREKA_BODY_PARTS_MAX: usize = 100_000;
/// Registrations in one bulk request: about 30 MiB of JSON, one transaction of the store.
pub const BULK_REGISTRATIONS_MAX: usize = 100_000;
/// Heartbeats in one batch from another server: what 100,000 instances that beat every two seconds
/// send in a fifth of one.
pub const BEATS_MAX: usize = 10_000;
/// Octets of such a batch: each heartbeat takes some 100, unless it says much.
pub const BEATS_OCTETS_MAX: usize = 8 << 20;
/// Commands that wait for the writer: at 20,000/s half a second of work. A full queue refuses.
pub const WRITER_QUEUE_MAX: usize = 10_000;
/// Commands in one group commit: long enough to share an fsync among all who wait, short enough
/// that the first of them does not wait for the last one's work.
pub const WRITER_BATCH_MAX: usize = 1_024;
/// Events kept for watchers that come back: about an hour at 20 changes a second.
pub const EVENTS_KEPT_MAX: usize = 65_536;

/// Octets of the domain on the wire: what the longest name below it, `I.instance.S.service` with
/// labels of 63 octets, leaves of [`NAME_OCTETS_MAX`].
pub const DOMAIN_OCTETS_MAX: usize = NAME_OCTETS_MAX - (64 + 9 + 64 + 8);
/// Addresses that one door listens on: hosts with more interfaces listen on the wildcard.
pub const LISTEN_ADDRESSES_MAX: usize = 16;
/// Networks with reverse zones: each is a zone that the full path compares a name with.
pub const REVERSE_NETWORKS_MAX: usize = 64;
/// Octets of a server's name among those that share a store: a label, which host names have.
pub const SERVER_ID_OCTETS_MAX: usize = LABEL_OCTETS_MAX;
/// Longest lame duck: what stops services (systemd, Kubernetes) loses patience after 30 to 90 s.
pub const LAME_DUCK_MAX: Duration = Duration::from_secs(60);

/// Upstreams of one zone, or of all names: four of them are asked for one question at the most.
pub const FORWARD_UPSTREAMS_MAX: usize = 16;
/// Zones with upstreams of their own: a company's, and its partners'.
pub const FORWARD_ZONES_MAX: usize = 256;
/// Octets of such a zone's name on the wire: in front of it there must be room for two random
/// labels of 16 octets, by which loops are found.
pub const FORWARD_SUFFIX_OCTETS_MAX: usize = NAME_OCTETS_MAX - 2 * 17;
/// Longest time that forwarded records are kept, or answered after it, seconds: a week, as RFC 8767
/// §4 has it for a TTL.
pub const FORWARD_TTL_SECONDS_MAX: u32 = 604_800;

/// Zone files in the zone folder: each is looked at every second.
pub const ZONES_MAX: usize = 1_000;
/// Records of one static zone: about 200 MiB in memory. Larger zones want a server for zones.
pub const ZONE_RECORDS_MAX: usize = 500_000;
/// Octets of the text of one zone, with all that it includes: what its records take at the most.
pub const ZONE_OCTETS_MAX: usize = 64 << 20;
/// Files that one zone is made of, the same file counted as often as it is included.
pub const ZONE_FILES_MAX: usize = 256;
/// Files that include one another: deeper is a file that includes itself.
pub const ZONE_INCLUDE_DEPTH_MAX: usize = 8;
