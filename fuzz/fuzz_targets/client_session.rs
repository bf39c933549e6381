#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cocaine_tests::fuzzing::client_session::run(data));
