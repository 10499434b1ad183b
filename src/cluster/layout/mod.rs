//! What stands in etcd: keys, and values as JSON.
//!
//! # Keys
//!
//! Below a prefix (`/rollcall` where none is configured) and the version of this layout:
//!
//! | key below `/rollcall/v1/` | value |
//! | --- | --- |
//! | `meta` | what all servers have agreed on; written once |
//! | `servers/{server}` | a server that is alive; under its lease, as its opinions are |
//! | `instances/{service}/{instance}/registration` | what was registered |
//! | `instances/{service}/{instance}/health` | what its checks have found |
//! | `instances/{service}/{instance}/drained` | there: it was taken out of the answers by hand |
//! | `opinions/{service}/{instance}/{server}` | what a server finds otherwise than is shared |
//! | `policies/{service}` | how a service is answered |
//! | `beats/{server}` | heartbeats that a server has for others, which it cannot reach |
//! | `bulk`, `bulks/{bulk}/{part}` | changes of more than one transaction; see below |
//!
//! Names have no slash, so that a range has all of an instance and nothing of another, and are in
//! lower case, so that no row has two keys. Nodes of Consul are instances of `_nodes`.
//!
//! # Values
//!
//! To be read with `etcdctl get --prefix /rollcall/v1/`; a test holds each of these by value:
//!
//! ```text
//! meta                     {"schema":1,"cluster":"5f0c…"}
//! servers/host-1           {"http":["10.0.0.1:8500"],"version":"0.2.0",
//!                           "started":"2026-11-18T11:06:40.000Z","token":"…"}
//! …/web-1/registration     {"addresses":["10.1.2.3"],"port":8080,"weight":10,"priority":1,
//!                           "tags":["v1"],"meta":{"version":"1.4.2"},
//!                           "checks":[{"type":"ttl","ttl":"15s"}],"deregister_after":"10m",
//!                           "registered_at":"2026-11-18T11:06:40.000Z"}
//! …/web-1/health           {"of":786432,"since":"2026-11-18T11:06:40.000Z",
//!                           "checks":[{"status":"critical","output":"silent for 15s",
//!                           "since":"2026-11-18T11:06:40.000Z"}],"by":"host-1"}
//! …/web-1/drained          {"at":"2026-11-18T11:06:40.000Z","by":"host-1"}
//! opinions/web/web-1/host-2 {"of":786432,"checks":{"0":{"status":"critical",
//!                           "output":"timeout","since":"2026-11-18T11:06:40.000Z"}}}
//! policies/web             {"ttl":"5s","answer_limit":8,"when_none_healthy":"nodata",
//!                           "min_healthy":0.0}
//! bulk                     {"bulk":"00000000000000ff","counts":true,"parts":1,"edits":2,
//!                           "base":11,"by":"host-1","at":"2026-11-18T11:06:40.000Z"}
//! …/00000000000000ff/00000 {"row":"policies/web"}
//!                          {"row":"instances/web/web-1/registration","guard":"present"}
//! ```
//!
//! A registration is what a line of `rollcall export` has, without its names, which the key has,
//! and without what follows from other rows. What the row's own revision says is left out:
//! `registered`, the revision of the registration, is another where a fold has written the row, or
//! a server has written it again as it is, and `created`, that of the first one of this name, where
//! it was replaced. `since` says since when it is in its state, where that is not `registered_at`:
//! it is known by who has followed all changes, and by nobody else. Its checks have `status`,
//! `output` and `since` where they do not begin as checks do. Revisions are as the API has them:
//! 65,536 times that of etcd.
//!
//! What a server has in `beats/{server}` is JSON, too, but packed by gzip, and goes with a lease of
//! a minute: [`super::beats`] has the reasons.
//!
//! Health is a row of its own, so that a change of it does not write the registration again. It
//! is of one registration (`of`), and means nothing of another; so nobody need delete it. It never
//! has more than 64 KiB; outputs are cut until it fits.
//!
//! # Opinions
//!
//! Where several servers check each instance, one that finds it otherwise than its health has it
//! says so in a row of its own, of which it takes leave with its lease. It names the checks by
//! their places, and is of one registration, as health is. Whoever is of the same opinion has none,
//! so that in the steady state nothing is written.
//!
//! # Bulks
//!
//! A bulk's parts have a change on each line: the row, what it is to be (nothing: it is deleted, a
//! registration with all else of its instance), and on what condition. They mean nothing until the
//! marker `bulk` says that they count; its revision is theirs. There is one marker, so at most one
//! bulk is under way; while it is there, nothing else is written of instances and policies. It goes
//! with its parts when all changes have come into their rows.
//!
//! # What versions promise one another
//!
//! A field that is not known was written by a later version: it is passed over, and noted, because
//! an old server beside a new one must go on; so is a row. What cannot be read at all leaves what
//! was known of that row as it was. A field's meaning never changes. If it has to, the layout's
//! version goes up, and servers of both cannot share a prefix.
//!
//! # Rejected
//!
//! The store's own records (nobody reads them with etcdctl, and a check that an old server does not
//! know would end its reading); one row for each instance (each flip of a check would write, send
//! and parse all of it); a key for each field (a registration would be as many operations).

mod alike;
mod bulk;
mod fault;
mod key;
mod row;
mod server;
mod value;

pub use alike::Alike;
pub use bulk::{BulkId, Marker, Part, PartId, encode_parts, shown};
pub use fault::{Stray, TooLarge, Unreadable};
pub use key::{Key, KeyRange, Layout, RowKey, server_id};
pub use row::{Author, Decoded, Write};
pub use server::{Meta, ServerRow};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
