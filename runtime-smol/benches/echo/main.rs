//! How fast the daemon is: 64 bytes to a worker and back, beside what any program on this machine would need.
//!
//! `floor` is an echo server one hop away that only looks for the ends of frames, `relay` copies bytes between TCP
//! and a Unix socket behind which the floor is: the bottom for two hops. `runtime` is the real daemon with one
//! worker. All of them share one CPU, because a wake-up on another one costs more than everything measured here;
//! what counts is the ratio.
//!
//! ```text
//! cargo bench -p cocaine-runtime-smol --bench echo [-- --quick] [--json] [--case NAME] [--repeat N] [--scale FACTOR] [--no-pin]
//! ```

mod client;
mod daemon;
mod floor;
mod frames;
mod process;
mod relay;
mod report;
mod role;
mod sockets;
mod worker;

use std::io;
use std::process::ExitCode;

use client::Load;
use report::Report;
use role::Role;
use sockets::Address;

/// Connections, requests outstanding on each, and requests in all.
const CASES: [Load; 3] = [
    Load { name: "1x1", connections: 1, outstanding: 1, requests: 20_000 },
    Load { name: "1x64", connections: 1, outstanding: 64, requests: 200_000 },
    Load { name: "32x16", connections: 32, outstanding: 16, requests: 300_000 },
];

/// What is asked for on the command line.
struct Options {
    repeat: usize,
    scale: f64,
    /// The only case to measure.
    case: Option<String>,
    json: bool,
    pin: bool,
}

/// Something to measure.
struct Target {
    name: &'static str,
    address: Address,
    pid: u32,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match Role::from_args(&args) {
        Some(role) => role.play(),
        None => Options::from_args(&args).and_then(|options| measure(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo bench: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn from_args(args: &[String]) -> io::Result<Self> {
        // Cargo says `--bench` when it is run as one, and nothing when it is only tested.
        let quick = args.iter().any(|arg| arg == "--quick") || !args.iter().any(|arg| arg == "--bench");
        let (repeat, scale) = if quick { (3, 0.1) } else { (5, 1.0) };
        let mut options = Self { repeat, scale, case: None, json: false, pin: true };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let value = |text: Option<&String>| {
                text.and_then(|text| text.parse::<f64>().ok())
                    .ok_or_else(|| io::Error::other(format!("{arg} takes a number")))
            };
            match arg.as_str() {
                "--json" => options.json = true,
                "--case" => options.case = args.next().cloned(),
                "--no-pin" => options.pin = false,
                "--repeat" => options.repeat = value(args.next())?.max(1.0) as usize,
                "--scale" => options.scale = value(args.next())?,
                "--quick" | "--bench" => {}
                other => return Err(io::Error::other(format!("unknown option {other}"))),
            }
        }
        Ok(options)
    }
}

fn measure(options: &Options) -> io::Result<()> {
    let place = tempfile::tempdir()?;
    let floor = Role::floor(place.path())?;
    let relay = Role::relay(place.path())?;
    let daemon = daemon::start(place.path())?;
    let targets = [
        Target { name: "floor", address: floor.address.clone(), pid: floor.pid() },
        Target { name: "relay", address: relay.address.clone(), pid: relay.pid() },
        Target { name: "runtime", address: daemon.address.clone(), pid: daemon.pid() },
    ];
    for target in &targets {
        // Everybody is warm, and the daemon has started its worker, before anything is pinned or counted.
        client::run(&target.address, &Load { requests: 1000, ..CASES[0] }, target.pid)?;
    }
    if options.pin {
        process::pin(std::process::id())?;
        for target in &targets {
            process::pin(target.pid)?;
        }
        for worker in process::children(daemon.pid()) {
            process::pin(worker)?;
        }
    }
    let mut report = Report::default();
    for _ in 0..options.repeat {
        let wanted = |case: &&Load| options.case.as_ref().is_none_or(|wanted| wanted == case.name);
        for case in CASES.iter().filter(wanted) {
            let load = Load { requests: ((case.requests as f64 * options.scale) as u64).max(1000), ..*case };
            for target in &targets {
                report.add(case.name, target.name, client::run(&target.address, &load, target.pid)?);
            }
        }
    }
    if options.json {
        report.print_json();
    } else {
        report.print_table();
    }
    Ok(())
}
