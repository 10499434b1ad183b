//! Any octets as a packet: what is taken for a plain query is one.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| rollcall::dns::fuzzing::packet(octets));
