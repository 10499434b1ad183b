//! Tests of the sender with the clock stopped, and of both ways as they are.

mod direct;
mod outbox;
mod relay;
mod sender;
mod support;
