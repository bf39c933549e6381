//! Runs seeds of the simulator.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cocaine_tests::sim::figures::Figures;
use cocaine_tests::sim::{self, Failure, options::Options};

const USAGE: &str = "simulate [--seeds FROM..TO] [--minutes M] [--replay SEED [--trace]] [--keep-going]";

/// What is to be done.
struct Wish {
    seeds: std::ops::Range<u64>,
    minutes: Option<f64>,
    replay: Option<u64>,
    trace: bool,
    keep_going: bool,
}

/// One seed in so many is run twice.
const TWICE: u64 = 50;

fn main() -> ExitCode {
    let wish = match wish(std::env::args().skip(1)) {
        Ok(wish) => wish,
        Err(text) => {
            eprintln!("{text}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Broken promises are told in one piece, below.
    std::panic::set_hook(Box::new(|_| {}));
    match wish.replay {
        Some(seed) => replay(seed, wish.trace),
        None => many(&wish),
    }
}

fn wish(mut args: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut wish = Wish { seeds: 0..1_000, minutes: None, replay: None, trace: false, keep_going: false };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--seeds" => {
                let text = value()?;
                let (from, to) = text.split_once("..").ok_or("--seeds needs FROM..TO")?;
                wish.seeds = number(from)?..number(to)?;
            }
            "--minutes" => wish.minutes = Some(number(&value()?)?),
            "--replay" => wish.replay = Some(number(&value()?)?),
            "--trace" => wish.trace = true,
            "--keep-going" => wish.keep_going = true,
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(wish)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn replay(seed: u64, trace: bool) -> ExitCode {
    println!("{}", Options::from_seed(seed));
    let outcome = sim::run(seed, trace);
    println!("{}trace {:016x}", outcome.figures, outcome.hash);
    match outcome.failure {
        Some(failure) => {
            tell(seed, &failure);
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn many(wish: &Wish) -> ExitCode {
    let begun = Instant::now();
    let mut told = begun;
    let mut sum = Figures::default();
    let (mut runs, mut failures) = (0_u64, 0_u64);
    for seed in wish.seeds.clone() {
        if wish.minutes.is_some_and(|minutes| begun.elapsed().as_secs_f64() > minutes * 60.0) {
            break;
        }
        let outcome = sim::run(seed, false);
        runs += 1;
        sum.add(&outcome.figures);
        if seed % TWICE == 0 && sim::run(seed, false).hash != outcome.hash {
            println!("seed {seed}: not the same twice");
            failures += 1;
        }
        if let Some(failure) = &outcome.failure {
            tell(seed, failure);
            failures += 1;
        }
        if failures > 0 && !wish.keep_going {
            break;
        }
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            progress(runs, failures, &sum, begun.elapsed());
        }
    }
    println!("{sum}");
    progress(runs, failures, &sum, begun.elapsed());
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn progress(runs: u64, failures: u64, sum: &Figures, time: Duration) {
    let rate = sum.micros as f64 / 1e6 / time.as_secs_f64();
    let requests = sum.requests;
    println!("{runs} seeds in {time:.1?}: {requests} requests, {rate:.0} simulated s/s, {failures} failed");
}

fn tell(seed: u64, failure: &Failure) {
    println!("{}", failure.options);
    failure.last.iter().for_each(|line| println!("    {line}"));
    println!("seed {seed} breaks a promise: {}\n", failure.promise);
}
