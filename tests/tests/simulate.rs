//! The simulator on a fixed set of seeds.

use cocaine_tests::sim::{self, figures::Figures};

/// What a debug build does in a few seconds.
const SEEDS: std::ops::Range<u64> = 0..25;

#[test]
fn no_seed_breaks_a_promise() {
    let mut sum = Figures::default();
    for seed in SEEDS {
        let outcome = sim::run(seed, false);
        if let Some(failure) = outcome.failure {
            println!("{}", failure.options);
            failure.last.iter().for_each(|line| println!("    {line}"));
            panic!("seed {seed} breaks a promise: {}", failure.promise);
        }
        sum.add(&outcome.figures);
    }
    println!("{sum}");
    // Runs that get nowhere prove nothing.
    assert!(sum.requests > 2_000 && sum.answered > 500 && sum.spawned > 100, "{sum}");
    assert!(sum.faults.len() > 30, "{sum}");
}

#[test]
fn the_same_seed_does_the_same() {
    for seed in [0, 7, 23] {
        assert_eq!(sim::run(seed, false).hash, sim::run(seed, false).hash, "seed {seed}");
    }
    assert_ne!(sim::run(1, false).hash, sim::run(2, false).hash);
}
