//! Any octets as a body of Eureka's interface: refused in few words, or read as it is written.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| rollcall::http::eureka_body(octets));
