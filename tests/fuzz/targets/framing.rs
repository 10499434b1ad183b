//! Any octets on a connection, in any pieces: one reply to each message.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| rollcall::dns::fuzzing::framing(octets));
