//! Everything that is decoded to something of its own: values, arguments, failures, method trees.

use cocaine_core::wire::{Args, Failure, Graph, Value};

/// Any bytes, as each of them.
///
/// # Panics
///
/// A value is not the same after another round, or a reader of arguments does not come to an end.
pub fn run(data: &[u8]) {
    if let Ok((value, rest)) = Value::decode(data) {
        assert!(rest.len() < data.len());
        let bytes = value.to_vec();
        let (again, rest) = Value::decode(&bytes).expect("what we write can be read");
        assert!(rest.is_empty());
        // Not the values: no number is equal to "not a number".
        assert_eq!(again.to_vec(), bytes);
        assert_eq!(again.to_string(), value.to_string());
    }
    if let Ok(failure) = Failure::decode(data) {
        let mut bytes = Vec::new();
        failure.encode(&mut bytes);
        assert_eq!(Failure::decode(&bytes), Ok(failure));
    }
    let _ = Failure::decode_v0_worker(data);
    let _ = Graph::decode(data);
    if let Ok(args) = Args::new(data) {
        walk(args, 8);
    }
}

/// Reads every argument in every way; each reading is of a copy of the reader.
fn walk(mut args: Args<'_>, depth: usize) {
    loop {
        let (mut array, mut map) = (args, args);
        for inner in [array.array(), map.map()].into_iter().flatten() {
            if depth > 0 {
                walk(inner, depth - 1);
            }
        }
        for read in READS {
            read(args);
        }
        let before = args.len();
        if args.skip().is_err() {
            return;
        }
        assert_eq!(args.len() + 1, before);
    }
}

const READS: [fn(Args<'_>); 6] = [
    |mut args| drop(args.text()),
    |mut args| drop(args.uint()),
    |mut args| drop(args.int()),
    |mut args| drop(args.float()),
    |mut args| drop(args.boolean()),
    |mut args| drop(args.value()),
];
