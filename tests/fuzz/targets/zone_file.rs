//! Any text as a zone file: refused on one line, or served.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| rollcall::dns::fuzzing::zone_file(octets));
