//! Too many of something.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::super::Binaries;
use super::super::app::AppSpec;
use super::super::client::Client;
use super::super::node::{Node, Place};
use super::super::process::processor_ticks;
use super::super::stage::{SUBJECT, Stage};

/// A daemon that has no more file descriptors serves whom it has, and everybody again afterwards. It does not burn
/// the processor meanwhile.
pub fn file_descriptors_run_out(binaries: &Binaries) {
    let place = Place::new(&[AppSpec::serving(SUBJECT)]);
    let plain = place.command(binaries);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 80 && exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    let node = Node::start(place, command);
    let mut client = node.client(SUBJECT);
    client.echoes("before");
    let address = node.resolve(SUBJECT);
    let crowd: Vec<TcpStream> =
        (0..120).map(|_| TcpStream::connect(address).expect("the backlog takes it")).collect();
    client.echoes("in the crowd");
    let before = processor_ticks(node.process.id());
    (0..50).for_each(|_| client.echoes("again"));
    let spent = processor_ticks(node.process.id()) - before;
    assert!(spent < 100, "{spent} ticks for fifty requests");
    drop(crowd);
    Client::connect(address).echoes("after");
    node.client("node").settle();
}

/// Strangers who connect to the workers' socket and say nothing do not keep workers out.
pub fn a_crowd_at_the_workers_socket(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", r#"{"startup-timeout": 600, "pool-limit": 2}"#);
    let mut client = stage.client();
    client.echoes("the first worker");
    let socket = stage.node.worker_socket(SUBJECT);
    let crowd: Vec<UnixStream> = (0..400).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
    assert!(crowd.len() > 300, "the socket takes connections");
    let tagged = client.open(0, &["uuid".into(), "second".into()]);
    client.close(tagged);
    assert_eq!(client.reply(tagged).text(), "second");
    stage.nobody_noticed();
}

/// As many open streams as a connection may have, and one more.
pub fn many_streams_on_one_connection(binaries: &Binaries) {
    const STREAMS: usize = 2_000;
    let mut stage =
        Stage::new(binaries, "serve", r#"{"pool-limit": 1, "concurrency": 5000, "queue-limit": 5000}"#);
    let mut client = stage.client();
    let channels: Vec<u64> = (0..STREAMS).map(|_| client.enqueue("echo")).collect();
    for channel in &channels {
        client.write(*channel, channel.to_string());
    }
    for channel in channels.iter().rev() {
        assert_eq!(client.chunk(*channel), channel.to_string());
        client.close(*channel);
    }
    for channel in channels {
        assert_eq!(client.reply(channel).text(), "");
    }
    assert_eq!(stage.node.figure(SUBJECT, &["load"]), 0);
    stage.nobody_noticed();
}
