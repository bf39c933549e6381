#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cocaine_tests::fuzzing::engine_inputs::run(data));
