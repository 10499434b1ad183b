//! What the registry proposes, as transactions of etcd.
//!
//! A proposal carries its conditions, and becomes one transaction that compares and writes, or
//! compares and reads what was in the way. So of two servers that replace one instance at the same
//! time etcd decides, and the loser is told which instances it lost.
//!
//! - **What is proposed as owner** is compared with this server's fence, too. It may be more than
//!   one transaction takes (128 comparisons, so 41 rows of health); then it is written in several,
//!   four at a time. Each row of it is good without the others, so a part that is refused does not
//!   take back the rest: what was written comes back by the watch, and what was not is still owed.
//!   The same goes for what only looks whether all is as it was, or is written again as it is.
//! - **Anything else** is all or none. What is too much for one transaction is a *bulk*: see below.
//! - **What was decided on is what is written over**: each change depends on that the row which it
//!   changes was not written since, also a policy and a drain, of which the last word counts: a
//!   member of etcd that was paused may take a transaction long after it was sent. Where a row is
//!   gone there is nothing to compare; so what was removed meanwhile may come back. What an owner
//!   removes by itself depends on the row of health, too: what a client has said by any server, and
//!   was told that it is taken, may be a sign of life.
//! - **What is more than this etcd takes**, which may be set to take less, is halved where each
//!   part is good without the others; the registry does the same with what it proposes together.
//! - **A full etcd takes what only deletes**, so this is sent by itself where it may be: instances
//!   that are gone are removed, though what is found of the others is not written.
//! - **No answer** does not mean that nothing was written. What was to be written is looked for, as
//!   long as there is time; only if it is not to be found the answer is that nobody knows. What
//!   never left this server, because no connection came about, has not happened.
//! - **A revision that the watch will not tell of** would let the reply wait for ever: where other
//!   programs use the same etcd, a transaction that changed nothing has such a one. Then the row of
//!   what all servers have agreed on is written again, as it is.
//!
//! A shared state of a later schema is not written at all, and another one than this server follows
//! takes nothing: see [`agreed`](super::agreed).
//!
//! # Bulks
//!
//! A registration of a hundred thousand instances is all or none, too. Its writer puts a marker,
//! writes the changes in parts of a mebibyte, looks at all that they depend on, and then says in
//! the marker that they count: that is the one transaction that decides. Who follows has the parts
//! by then, and shows all of them as of the marker's revision. Afterwards they come into their rows
//! (`finish`), and marker and parts go.
//!
//! - **While the marker is there nothing else is written** of instances and policies: each
//!   transaction has the condition that it is not there, also of a server that has not heard of it.
//!   So what the writer has looked at stays as it is, however much it is, and nothing that is
//!   removed meanwhile comes back from a part. Others wait, and are refused as busy: after five
//!   seconds, or seven with what they queue behind, and nine at the server that writes the bulk.
//!   What is seen of the world is shown meanwhile, and written later.
//! - **A writer that dies** before the bulk counts leaves a marker that another server takes away,
//!   and has changed nothing. If it counts, another server brings it into its rows.
//! - **A row that comes out of a bulk** is younger than what it says. Who has decided on something
//!   before that was over decides again.
//!
//! Rejected: many bulks at a time (each would be a condition of all others, and what they have in
//! common would have to be found); conditions as comparisons in the deciding transaction (128 of
//! them at the most; of a whole service they would be about the health of all its instances, too);
//! a lease for the marker (leaders of etcd that were paused have been seen to end leases early).

mod bulk;
mod finish;
mod plan;
mod probe;
#[cfg(test)]
mod tests;
mod writer;

pub use finish::Finisher;
pub use probe::Probe;
pub use writer::Writer;
