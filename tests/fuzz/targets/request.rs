//! Any octets as a message: silence, or a reply that may be sent.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| rollcall::dns::fuzzing::request(octets));
