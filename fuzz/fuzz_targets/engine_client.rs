#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cocaine_tests::fuzzing::engine_client::run(data));
