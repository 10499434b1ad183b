//! Heartbeats for instances whose heartbeats another server counts.
//!
//! A client speaks to any server, and one server counts: whose task the instance is. What reaches
//! another is handed on, in batches and never one by one, and costs etcd nothing.
//!
//! # The direct way
//!
//! A batch is a `POST /internal/v1/beats` to the other server's HTTP interface, on a connection
//! that is kept. What comes for one server is collected for 200 ms (an eighth of the ttl if that is
//! less); one request is under way for each server, and what comes meanwhile waits for the next.
//! Of each instance and check the newest is kept. So a server that is slow is sent fewer, not more.
//!
//! The other side says which instances it does not know, or does not take for its own: one of the
//! two servers is behind by a moment. These are sent once more, to whom the newest view names, and
//! then dropped; the next heartbeat comes in time, and no two servers send one to and fro.
//!
//! Meanwhile the instance may have said something else at the server that counts, which must not be
//! undone by what it said before. So each heartbeat says up to which revision of etcd its server
//! had seen all changes when it came: where a check's state is later than that, and somebody's word
//! of the last ten seconds, the heartbeat renews the lease and changes nothing.
//!
//! But a server may be behind: its client has said something else elsewhere, which was
//! acknowledged, and of which this one has not heard. So each heartbeat also says how long ago it
//! came; one that came after that word counts. The time on the way counts as before, for which
//! 20 ms are allowed, and a word that changes something is acknowledged 25 ms after it was written,
//! so that what is said next is later by more. Clocks of two servers are compared only where the
//! word came with a registration, or the owner has changed since. By the other way the time is not
//! known. Servers of older versions say neither, and what they hand on is
//! taken as it is.
//!
//! A heartbeat is worth something for as long as its ttl, and for three seconds at the most: what
//! comes later would keep a dead instance alive. What is late is dropped; so is what is oldest when
//! there is no room. The registry never waits: it puts heartbeats into a queue, and drops them when
//! that is full. All that are dropped are counted, by reason.
//!
//! # The other way
//!
//! Servers that cannot reach one another reach etcd all the same, or they would not know of one
//! another: a firewall, a wrong address, a network that is cut between two places. Then a server
//! leaves heartbeats in its row `beats/{server}`, which all others see, and each takes what is its
//! own. It is the JSON of the direct way, packed by gzip (`etcdctl get --print-value-only` and
//! `gunzip` show it). The direct way is tried again with an empty batch every 0.5 to 10 s; no
//! heartbeat waits for that.
//!
//! etcd keeps every version of a row until it is compacted, so what is written is history to be
//! paid for. Heartbeats of 100,000 instances every 3.3 s, spread over three servers of which two
//! cannot reach each other, are 3,400 each second for either to leave. Of 10,000, measured:
//!
//! | names as | octets each | such a server writes | in an hour |
//! | --- | --- | --- | --- |
//! | `web/web-7d9f8b6c5-x2x4q` | 5.7 | 19 KB/s | 70 MB |
//! | `web/10-0-3-17-8080` | 6.0 | 20 KB/s | 73 MB |
//! | `web/` and a random UUID | 19.1 | 65 KB/s | 234 MB |
//!
//! Against etcd's 2 GiB and a compaction each hour, a server therefore writes 64 KiB a second in
//! the mean and no more (236 MB an hour), in rows of 192 KiB at the most and one a second. Of a
//! whole cluster that does not add up: 100,000 instances send 30,000 heartbeats a second to
//! however many servers, and if half of them went by this way, that would be 90 KB/s of ordinary
//! names. What does not fit is late and dropped, and self-preservation holds those that fall
//! silent together. Who reports that it is not well goes first; what an instance says that is well
//! is left out, and stays as it is known. By this way a silence is noticed up to three seconds
//! later, and a ttl below some two seconds cannot be kept up.
//!
//! A row does not say when it was written. So only those are taken that come while the watch is
//! followed closely (`follow/fresh`): not what a list has, or what the watch makes up for after a
//! break, or after a standstill that was noticed, which takes up to seven seconds. Who lives beats
//! again. With a standstill that is shorter a silence is noticed as much later.
//!
//! The row has a lease of a minute, so that none is left behind by a server that dies, and nothing
//! has to be deleted: a second lease beside the server's own, because that one is in other hands.
//!
//! # Rejected
//!
//! - **Hashes of 8 octets in place of names**: sorted and packed they take some 6, which is what
//!   names take; and each reader would have to hash all of its instances to know whose they are.
//! - **A list of names once, and a bit for each of them every second**: a hundredth as much, at the
//!   price of a state that sender and readers have to share, for a way that is an exception.
//! - **Each heartbeat a write, or a lease for each instance**: 10,000 a second is what etcd has.
//! - **A stream, or HTTP/2**: a request of 200 ms has nothing to gain from either, and who reads it
//!   is the interface that is there, with its limits.

mod direct;
mod finish;
mod metrics;
mod outbox;
mod post;
mod receive;
mod relay;
mod sender;
mod start;
#[cfg(test)]
mod tests;
mod ways;

pub use metrics::BeatsMetrics;
pub use start::{Beats, BeatsSetup};
