//! What the operator says with signals, and daemons that were killed.

use std::time::{Duration, Instant};

use cocaine_core::wire::codes;
use rustix::process::Signal;

use super::super::Binaries;
use super::super::app::AppSpec;
use super::super::journal::{Journal, eventually};
use super::super::node::{Node, Place, flags};
use super::super::process::Watched;

const APP: &str = "app";

/// A daemon with a client in the middle of a stream, and its worker.
fn at_work(binaries: &Binaries, plan: &str, profile: &str) -> (Node, Watched) {
    let node = Node::with(binaries, &[AppSpec::new(APP, plan).profile(profile)]);
    node.client(APP).echoes("at work");
    let worker = Watched::new(node.app(APP).worker(1).0);
    (node, worker)
}

/// Nothing of it is left: no worker, and no socket that somebody could connect to.
fn nothing_is_left(node: &Node, worker: &Watched) {
    worker.must_end();
    for name in ["locator", "node", "storage", "logging"] {
        assert!(std::net::TcpStream::connect(node.address(name)).is_err(), "{name} still listens");
    }
}

/// It has heard the signal: nobody can connect to the node service any more.
fn stops_accepting(node: &Node) {
    let address = node.address("node");
    eventually("it stops accepting", || std::net::TcpStream::connect(address).err());
}

fn stops_well(binaries: &Binaries, signal: Signal) {
    let (mut node, worker) = at_work(binaries, "serve", r#"{"stop-timeout": 10}"#);
    let mut client = node.client(APP);
    let running = client.enqueue("echo");
    client.write(running, "before");
    assert_eq!(client.chunk(running), "before");
    node.process.signal(signal);
    stops_accepting(&node);
    // What runs may end well.
    client.write(running, "after");
    assert_eq!(client.chunk(running), "after");
    client.close(running);
    assert_eq!(client.reply(running).text(), "");
    assert_eq!(node.process.wait().code(), Some(0));
    nothing_is_left(&node, &worker);
    node.app(APP).journal.line("terminate ");
}

/// TERM: streams end, workers are stopped politely, exit code 0.
pub fn term_drains(binaries: &Binaries) {
    stops_well(binaries, Signal::TERM);
}

/// INT: the same.
pub fn int_drains(binaries: &Binaries) {
    stops_well(binaries, Signal::INT);
}

/// Workers that ignore everything hold the daemon up for a bounded time; their clients are told.
pub fn term_with_stubborn_workers(binaries: &Binaries) {
    let (mut node, worker) = at_work(
        binaries,
        "serve ignores-terminate ignores-term",
        r#"{"stop-timeout": 0.5, "terminate-timeout": 0.5, "kill-timeout": 0.5}"#,
    );
    let mut client = node.client(APP);
    let held = client.enqueue("hold");
    node.app(APP).journal.line("invoke hold");
    let began = Instant::now();
    node.process.signal(Signal::TERM);
    client.reply(held).failed(codes::APP_STOPPED);
    assert_eq!(node.process.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    nothing_is_left(&node, &worker);
}

/// A second signal: at once, and still nothing is left.
pub fn a_second_term_ends_at_once(binaries: &Binaries) {
    let timeouts = r#"{"stop-timeout": 600, "terminate-timeout": 600, "kill-timeout": 600}"#;
    let (mut node, worker) = at_work(binaries, "serve ignores-terminate ignores-term", timeouts);
    let mut client = node.client(APP);
    let _held = client.enqueue("hold");
    node.app(APP).journal.line("invoke hold");
    node.process.signal(Signal::TERM);
    stops_accepting(&node);
    let began = Instant::now();
    node.process.signal(Signal::TERM);
    node.process.wait();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    nothing_is_left(&node, &worker);
}

/// A signal while clients do nothing: idle connections hold up nobody.
pub fn idle_clients_do_not_hold_it_up(binaries: &Binaries) {
    let (mut node, _) = at_work(binaries, "serve", "{}");
    let mut idle = [node.client(APP), node.client("storage"), node.locator()];
    let began = Instant::now();
    assert_eq!(node.stop(Signal::TERM).code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    idle.iter_mut().for_each(|client| client.is_closed());
}

/// HUP: the log goes on in a new file of the same name, once somebody has moved the old one away.
pub fn hup_opens_the_log_anew(binaries: &Binaries) {
    let place = Place::new(&[]);
    let (log, old) = (place.path("node.log"), place.path("node.log.1"));
    let journal = Journal::create(&log);
    let node = place.run_with(binaries, flags(&[&"--log-file", &log, &"--log-format", &"json"]));
    let mut logging = node.client("logging");
    let mut emit = |text: &str| {
        logging.open(0, &[3_u64.into(), "test".into(), text.into()]);
        logging.settle();
    };
    emit("before the move");
    journal.contains("before the move");
    std::fs::rename(&log, &old).expect("our own directory");
    node.process.signal(Signal::HUP);
    // The new file appears as soon as the signal was heard.
    eventually("a new log file", || logging_line(&mut emit, &journal));
    assert!(journal.text().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(std::fs::read_to_string(old).expect("the old log").contains("before the move"));
    assert!(!node.log.text().contains("before the move"), "it does not go to standard error");
}

fn logging_line(emit: &mut impl FnMut(&str), journal: &Journal) -> Option<()> {
    emit("after the move");
    journal.text().contains("after the move").then_some(())
}

/// A daemon that was killed takes its workers along; what they left behind goes at the next start.
pub fn leftovers_of_a_killed_daemon(binaries: &Binaries) {
    let (mut node, worker) = at_work(binaries, "serve", "{}");
    let mut client = node.client(APP);
    let channel = client.enqueue("helper");
    client.close(channel);
    let helper: u32 = client.reply(channel).text().parse().expect("a process id");
    let helper = Watched::new(helper);
    node.process.signal(Signal::KILL);
    node.process.wait();
    worker.must_end();
    assert!(helper.is_alive(), "a worker's child knows nothing of the daemon");
    let node = node.again(binaries);
    helper.must_end();
    node.client("node").settle();
    node.log.contains("left behind");
}
