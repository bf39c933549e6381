//! The black-box suite, over the smol daemon.

cocaine_tests::black_box_suite!(env!("CARGO_BIN_EXE_cocaine-runtime"), env!("CARGO_BIN_EXE_cocaine-tool"));
