//! `cocaine-tool call`.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use crate::node::Node;
use crate::program::{TOOL, end, program};

impl Node {
    /// A running `call` whose input and output are the test's.
    fn calling(&self, arguments: &[&str]) -> Child {
        let mut command = program(TOOL);
        command.args(["--locator", &self.locator(), "call"]).args(arguments).stdin(Stdio::piped());
        command.spawn().unwrap()
    }
}

#[test]
fn a_chunk_comes_back_byte_by_byte() {
    let node = Node::with_echo();
    assert_eq!(node.tool(&["call", "echo", "ping", "hello"]).done(), "hello");
    assert_eq!(node.tool(&["call", "echo", "ping", ""]).done(), "", "an empty chunk");
    assert_eq!(node.tool(&["call", "echo", "ping"]).done(), "", "no chunk at all");
    assert_eq!(
        node.tool(&["call", "echo", "echo", "--", "--help"]).done(),
        "--help",
        "data that looks like a flag"
    );
}

#[test]
fn errors_are_printed_with_category_and_code() {
    let node = Node::with_echo();
    let failing = node.tool(&["call", "echo", "error"]);
    assert_eq!(failing.failed(1), "cocaine-tool: [42,42] custom failure");
    let unknown = node.tool(&["call", "echo", "nothing"]);
    assert!(unknown.failed(1).contains("\"nothing\""), "{unknown:?}");
    assert_eq!(unknown.out(), "");
}

#[test]
fn an_app_that_is_not_there_cannot_be_reached() {
    let node = Node::with_echo();
    let nobody = node.tool(&["call", "nobody", "ping"]);
    let told = nobody.failed(3);
    assert!(told.contains("service \"nobody\" was not found: [10,1]"), "{told}");
    assert!(told.contains("`cocaine-tool app list`"), "{told}");
    let service = node.tool(&["call", "storage", "ping"]);
    assert!(service.failed(2).contains("only apps can be called"), "{service:?}");
}

#[test]
fn an_app_that_keeps_crashing_says_why() {
    let node = Node::with(&[("bad", "echo cannot import foo >&2; exit 3")]);
    let call = node.tool(&["call", "bad", "ping", "x"]);
    assert!(call.failed(1).contains("[20991,2] the application keeps crashing at start"), "{call:?}");
    assert!(call.failed(1).contains("exit code 3; its last output: cannot import foo"), "{call:?}");
    let table = node.tool(&["info"]);
    assert!(table.done().contains("crash-looping"), "{table:?}");
    assert!(table.done().contains("\n\nbad: the application keeps crashing"), "{table:?}");
    let report: serde_json::Value =
        serde_json::from_str(node.tool(&["info", "bad", "--brief", "--output", "json"]).done()).unwrap();
    assert!(report["apps"]["bad"]["cause"].as_str().unwrap().contains("cannot import foo"), "{report}");
    assert!(
        node.log().contains("has exited with exit code 3 output=\"cannot import foo\""),
        "{}",
        node.log()
    );
}

#[test]
fn silence_ends_with_the_timeout() {
    let node = Node::with_echo();
    let hanging = node.tool(&["call", "echo", "hang", "--timeout", "1"]);
    assert!(hanging.failed(4).contains("no answer within 1 s; --timeout"), "{hanging:?}");
}

#[test]
fn time_does_not_run_while_our_own_input_is_slow() {
    let node = Node::with_echo();
    let mut call = node.calling(&["--timeout", "1", "echo", "echo", "-"]);
    let mut input = call.stdin.take().unwrap();
    // The time that passes is what is tested here.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    input.write_all(b"late").unwrap();
    drop(input);
    assert_eq!(end(call).done(), "late");
}

#[test]
fn megabytes_stream_both_ways_through_little_memory() {
    const SIZE: usize = 64 * 1024 * 1024;
    let node = Node::with_echo();
    let mut call = node.calling(&["echo", "echo", "-"]);
    let (mut input, mut output) = (call.stdin.take().unwrap(), call.stdout.take().unwrap());
    let block: Vec<u8> = (0..=250).cycle().take(64 * 1024).collect();
    let sent = block.clone();
    // The input stays open until everything has come back: an echo that waits for its end would hang.
    let writer = std::thread::spawn(move || {
        (0..SIZE / sent.len()).for_each(|_| input.write_all(&sent).unwrap());
        input
    });
    let mut received = vec![0; block.len()];
    for _ in 0..SIZE / block.len() {
        output.read_exact(&mut received).unwrap();
        assert!(received == block, "something else came back");
    }
    let peak = peak_kib(call.id());
    assert!(peak < 40 * 1024, "{peak} KiB");
    drop(writer.join().unwrap());
    assert_eq!(output.read(&mut received).unwrap(), 0);
    end(call).done();
}

/// The most memory a process has had.
fn peak_kib(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn the_reply_ends_the_command_even_if_the_input_does_not() {
    let node = Node::with_echo();
    let mut call = node.calling(&["echo", "ping", "-"]);
    let mut input = call.stdin.take().unwrap();
    input.write_all(b"one").unwrap();
    assert_eq!(end(call).done(), "one");
    drop(input);
    let mut refused = node.calling(&["echo", "nothing", "-"]);
    let input = refused.stdin.take().unwrap();
    assert!(end(refused).failed(1).contains("\"nothing\""));
    drop(input);
}

#[test]
fn json_has_a_line_for_every_chunk_and_one_for_the_error() {
    let node = Node::with_echo();
    assert_eq!(
        node.tool(&["call", "echo", "ping", "a\"b", "--output", "json"]).done(),
        "{\"chunk\":\"a\\\"b\"}\n"
    );
    let mut call = node.calling(&["echo", "echo", "-", "--output", "json"]);
    call.stdin.take().unwrap().write_all(&[0xff, 0x00, 0x7f]).unwrap();
    assert_eq!(end(call).done(), "{\"chunk_hex\":\"ff007f\"}\n");
    let failing = node.tool(&["call", "echo", "error", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(failing.out()).unwrap();
    let expected = serde_json::json!({"error": {"category": 42, "code": 42, "text": "custom failure"}});
    assert_eq!((error, failing.failed(1)), (expected, "cocaine-tool: [42,42] custom failure"));
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    let node = Node::with_echo();
    for format in ["human", "json"] {
        let mut call = node.calling(&["echo", "size", "100000000", "--output", format]);
        let mut output = call.stdout.take().unwrap();
        output.read_exact(&mut [0; 10]).unwrap();
        drop(output);
        end(call).done();
    }
    assert_eq!(node.tool(&["call", "echo", "ping", "still there"]).done(), "still there");
}
