//! What the registry proposes, as transactions of etcd.
//!
//! A proposal carries its conditions, and becomes one transaction that compares and writes, or
//! compares and reads what was in the way. So of two servers that replace one instance at the same
//! time etcd decides, and the loser is told which instances it lost.
//!
//! - **What is proposed as owner** is compared with this server's fence, too. It may be more than
//!   one transaction takes (128 comparisons, so 42 rows of health); then it is written in several,
//!   four at a time. Each row of it is good without the others, so a part that is refused does not
//!   take back the rest: what was written comes back by the watch, and what was not is still owed.
//! - **Anything else** is all or none, and refused when it is too much for one transaction.
//! - **No answer** does not mean that nothing was written. What was to be written is looked for, as
//!   long as there is time; only if it is not to be found the answer is that nobody knows.
//! - **A revision that the watch will not tell of** would let the reply wait for ever: where other
//!   programs use the same etcd, a transaction that changed nothing has such a one. Then the row of
//!   what all servers have agreed on is written again, as it is.
//!
//! A shared state of a later schema is not written at all.

mod plan;
#[cfg(test)]
mod tests;
mod writer;

pub use writer::Writer;
