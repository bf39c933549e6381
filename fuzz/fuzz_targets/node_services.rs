#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cocaine_tests::fuzzing::node_services::run(data));
