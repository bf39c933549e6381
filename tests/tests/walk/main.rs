//! Random walks: whatever happens to an engine, in whatever order, it keeps its contract with the driver, answers
//! each request exactly once, comes to its end when told to, and keeps nothing.
//!
//! `SEED=n` walks one seed only, `WALKS=n` so many.

mod frames;
mod peers;
mod walker;

use walker::Walker;

/// How many walks there are unless `WALKS` says it, and how many steps each has.
const WALKS: u64 = 100;
const STEPS: usize = 700;

#[test]
fn every_walk_keeps_the_contract() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let one = number("SEED");
    let seeds = one.map_or(0..number("WALKS").unwrap_or(WALKS), |seed: u64| seed..seed + 1);
    let mut marks = [0; 4];
    for seed in seeds {
        let _seed = OnPanic(seed);
        let mut walker = Walker::new(seed);
        (0..STEPS).for_each(|_| walker.step());
        walker.end();
        marks = std::array::from_fn(|at| marks[at] + walker.marks()[at]);
    }
    let [accepted, answered, activated, chunks] = marks;
    println!(
        "{accepted} requests, {answered} answers of workers, {activated} active workers, {chunks} chunks"
    );
    if one.is_none() {
        // A walk that gets nowhere proves nothing.
        assert!(accepted > 5_000 && answered > 200 && activated > 200 && chunks > 150);
    }
}

struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with SEED={}", self.0);
        }
    }
}
