//! Hot UDP: batches of packets, one thread per socket, nothing shared between them.
//!
//! Each worker owns a socket of its own; the sockets of one address share its port
//! (`SO_REUSEPORT`), and the kernel spreads clients over them by a hash of their address. A worker
//! takes what has come in one system call, answers it from one view of the world, and sends the
//! replies in another. What is not simple goes to the full path through a queue of fixed length.
//!
//! Rejected: hickory's UDP server (a task per packet, no batches, replies that leave a wildcard
//! from any address), and one socket read by many (they would wake each other for one packet).

mod socket;
mod sys;
mod worker;

pub(super) use socket::Socket;
pub(super) use sys::REPLY_OCTETS_MAX;
pub(super) use worker::{Deferred, Worker};
