//! Answering: the DNS door.
