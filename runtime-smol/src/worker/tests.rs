//! The echo worker against a runtime that is a script.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use cocaine_core::wire::Value;

use super::*;

/// The runtime's side of a worker's connection.
struct Runtime {
    socket: UnixStream,
    worker: JoinHandle<io::Result<Farewell>>,
    unread: Vec<u8>,
    _directory: tempfile::TempDir,
}

impl Runtime {
    /// Starts an echo worker and takes its handshake and first heartbeat.
    fn start(protocol: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("echo.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let args = ["--app", "echo", "--endpoint", &path, "--protocol", protocol, "--uuid", "u-1"];
        let options = Options::from_args(args).unwrap();
        let worker = std::thread::spawn(move || run(options.session(), crate::echo::handlers(&options)));
        let socket = listener.accept().unwrap().0;
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let mut runtime = Self { socket, worker, unread: Vec::new(), _directory: directory };
        let (handshake, heartbeat) = match protocol {
            "0" => (r#"[0, 0, ["u-1"]]"#, "[1, 0, []]"),
            _ => (r#"[1, 0, ["u-1"]]"#, "[1, 0, []]"),
        };
        runtime.expect(&[handshake, heartbeat]);
        runtime
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    fn frame(&mut self) -> Value {
        loop {
            if let Ok((value, rest)) = Value::decode(&self.unread) {
                self.unread = rest.to_vec();
                return value;
            }
            let mut buf = [0; 64 * 1024];
            let count = self.socket.read(&mut buf).expect("the worker goes on");
            assert!(count > 0, "the worker closed the connection");
            self.unread.extend_from_slice(&buf[..count]);
        }
    }

    fn expect(&mut self, frames: &[&str]) {
        for frame in frames {
            assert_eq!(&self.frame().to_string(), frame);
        }
    }

    fn terminate(mut self) {
        self.send(b"\x93\x01\x01\x92\x0b\xa4stop");
        self.expect(&[r#"[1, 1, [11, "stop"]]"#]);
        let farewell = self.worker.join().unwrap().unwrap();
        assert_eq!(farewell, Farewell::Terminated { code: 11, reason: "stop".into() });
    }
}

#[test]
fn a_request_is_answered_as_recorded_and_terminate_ends_the_worker() {
    let mut runtime = Runtime::start("1");
    runtime.send(b"\x94\x02\x00\x91\xa4ping\x90\x94\x02\x00\x91\xa5hello\x90\x94\x02\x02\x90\x90");
    runtime.expect(&[r#"[2, 0, ["hello"]]"#, "[2, 2, []]"]);
    runtime.terminate();
}

#[test]
fn the_older_dialect_is_spoken_too() {
    let mut runtime = Runtime::start("0");
    runtime
        .send(b"\x93\x03\x01\x91\xa4ping\x93\x04\x01\x91\xa5hello\x93\x06\x01\x90\x93\x03\x02\x91\xa5error");
    runtime.expect(&[
        r#"[4, 1, ["hello"]]"#,
        "[6, 1, []]",
        r#"[5, 2, [42, "custom failure"]]"#,
        "[6, 2, []]",
    ]);
    runtime.send(b"\x93\x02\x00\x92\x01\xa3bye");
    runtime.expect(&[r#"[2, 0, [1, "bye"]]"#]);
    assert!(matches!(runtime.worker.join().unwrap().unwrap(), Farewell::Terminated { code: 1, .. }));
}

#[test]
fn handlers_wait_for_chunks_while_others_run() {
    let mut runtime = Runtime::start("1");
    runtime.send(b"\x93\x02\x00\x91\xa4echo\x93\x02\x00\x91\xa1a");
    runtime.expect(&[r#"[2, 0, ["a"]]"#]);
    runtime.send(b"\x93\x03\x00\x91\xa4ping\x93\x03\x00\x91\xa1x");
    runtime.expect(&[r#"[3, 0, ["x"]]"#, "[3, 2, []]"]);
    runtime.send(b"\x93\x02\x00\x91\xa1b\x93\x02\x02\x90");
    runtime.expect(&[r#"[2, 0, ["b"]]"#, "[2, 2, []]"]);
    runtime.terminate();
}

#[test]
fn what_goes_wrong_in_a_handler_is_an_error_of_its_stream() {
    let mut runtime = Runtime::start("1");
    runtime.send(b"\x93\x02\x00\x91\xa5error\x93\x03\x00\x91\xa5panic\x93\x04\x00\x91\xa4none");
    runtime.expect(&[
        r#"[4, 1, [[42, 200], "there is no handler for event \"none\""]]"#,
        r#"[2, 1, [[42, 42], "custom failure"]]"#,
        r#"[3, 1, [[42, 100], "the handler panicked"]]"#,
    ]);
    runtime.send(b"\x93\x05\x00\x91\xa4echo\x93\x05\x01\x92\x92\x05\x02\xa3EOF");
    runtime.expect(&[r#"[5, 1, [[5, 2], "EOF"]]"#]);
    runtime.terminate();
}

#[test]
fn a_large_answer_waits_for_its_reader() {
    let mut runtime = Runtime::start("1");
    runtime.send(b"\x93\x02\x00\x91\xa4size\x93\x02\x00\x91\xa816777216");
    let mut size = 0;
    loop {
        let frame = runtime.frame();
        match frame.as_array() {
            Some([_, Value::Uint(0), args]) => {
                size += args.as_array().unwrap()[0].as_bytes().unwrap().len();
            }
            _ => break assert_eq!(frame.to_string(), "[2, 2, []]"),
        }
    }
    assert_eq!(size, 16 * 1024 * 1024);
    runtime.terminate();
}

#[test]
fn headers_timers_and_the_conventional_page() {
    let mut runtime = Runtime::start("1");
    runtime.send(b"\x94\x02\x00\x91\xa7headers\x91\x93\xc2\xa1k\xa2vw");
    runtime.expect(&[r#"[2, 0, ["k=7677"]]"#, "[2, 2, []]"]);
    runtime.send(b"\x93\x03\x00\x91\xa5sleep\x93\x03\x00\x91\xa15");
    runtime.expect(&[r#"[3, 0, ["5"]]"#, "[3, 2, []]"]);
    runtime.send(b"\x93\x04\x00\x91\xa4http\x93\x04\x00\x91\xac\x95\xa3GET\xa1/\xa0\x90\xa0__");
    let head = runtime.frame().as_array().unwrap()[2].as_array().unwrap()[0].as_bytes().unwrap().clone();
    assert_eq!(
        Value::decode(&head).unwrap().0.to_string(),
        r#"[200, [["Content-Type", "text/plain; charset=utf-8"]]]"#
    );
    runtime.expect(&[r#"[4, 0, ["echo worker: GET /\n"]]"#, "[4, 2, []]"]);
    runtime.terminate();
}

#[test]
fn a_runtime_that_is_gone_is_noticed() {
    let Runtime { socket, worker, .. } = Runtime::start("1");
    drop(socket);
    assert!(matches!(worker.join().unwrap().unwrap(), Farewell::Disconnected(_)));
}
