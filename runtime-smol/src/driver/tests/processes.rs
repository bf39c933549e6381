//! Workers' processes.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use cocaine_core::machine::{ExitStatus, Signal, WorkerId};

use super::*;

fn shell(script: &str) -> Box<SpawnSpec> {
    program("/bin/sh", &["-c", script])
}

fn program(executable: &str, arguments: &[&str]) -> Box<SpawnSpec> {
    Box::new(SpawnSpec {
        app: "test".into(),
        executable: executable.into(),
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        environment: Default::default(),
        directory: "/".into(),
        identity: None,
        limits: Default::default(),
    })
}

const WORKER: WorkerId = WorkerId::new(1);

impl Stage {
    fn spawn(&self, spec: Box<SpawnSpec>) -> u32 {
        self.act(Output::Spawn { worker: WORKER, spec });
        match self.next() {
            Input::Spawned { worker: WORKER, pid } => pid,
            other => panic!("{other:?}"),
        }
    }

    fn kill(&self, signal: Signal) {
        self.act(Output::Kill { worker: WORKER, signal });
    }

    /// All output until the worker exits, and how it does.
    fn until_exit(&self) -> (Vec<u8>, ExitStatus) {
        let mut output = Vec::new();
        loop {
            self.act(Output::ReadOutput { worker: WORKER });
            match self.next() {
                Input::WorkerOutput { bytes, .. } => {
                    assert!(bytes.len() <= 64 * 1024);
                    output.extend_from_slice(&bytes);
                }
                Input::WorkerExited { status, .. } => return (output, status),
                other => panic!("{other:?}"),
            }
        }
    }

    fn exit(&self) -> ExitStatus {
        self.until_exit().1
    }
}

fn fifo(dir: &Path) -> String {
    let path = dir.join("alive").to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Nobody holds the pipe open any more.
fn expect_end(mut alive: File) {
    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = tell.send(alive.read_to_end(&mut Vec::new()).unwrap());
    });
    ended.recv_timeout(PATIENCE).expect("somebody survived");
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    both_ways(|stage| {
        for (script, status) in [
            ("exit 0", ExitStatus::Code(0)),
            ("exit 17", ExitStatus::Code(17)),
            ("kill -9 $$", ExitStatus::Signal(9)),
            ("kill -15 $$", ExitStatus::Signal(15)),
        ] {
            stage.spawn(shell(script));
            assert_eq!(stage.exit(), status, "{script}");
        }
        stage.expect_silence();
    });
}

#[test]
fn what_cannot_start_says_why() {
    both_ways(|stage| {
        stage.act(Output::Spawn { worker: WORKER, spec: program("/no/such/worker", &[]) });
        match stage.next() {
            Input::SpawnFailed { worker: WORKER, error } => {
                assert_eq!(error.errno, 2);
                assert!(error.text.contains("/no/such/worker"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        stage.expect_silence();
        assert!(stage.props.running.lock().unwrap().is_empty());
    });
}

#[test]
fn both_streams_are_delivered_before_the_exit() {
    both_ways(|stage| {
        stage.spawn(shell("echo one; echo two >&2; printf three; exit 4"));
        let (output, status) = stage.until_exit();
        assert_eq!(String::from_utf8_lossy(&output), "one\ntwo\nthree");
        assert_eq!(status, ExitStatus::Code(4));
    });
}

#[test]
fn the_last_output_comes_unasked() {
    both_ways(|stage| {
        stage.spawn(shell("echo a last line; exit 1"));
        match stage.next() {
            Input::WorkerOutput { bytes, .. } => assert_eq!(&bytes[..], b"a last line\n"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(stage.next(), Input::WorkerExited { status: ExitStatus::Code(1), .. }));
    });
}

#[test]
fn a_flood_waits_until_it_is_read() {
    both_ways(|stage| {
        stage.spawn(program("/usr/bin/yes", &["a line of a worker that never stops writing"]));
        for _ in 0..100 {
            stage.act(Output::ReadOutput { worker: WORKER });
            match stage.next() {
                Input::WorkerOutput { bytes, .. } => assert!(!bytes.is_empty()),
                other => panic!("{other:?}"),
            }
        }
        stage.expect_silence();
        stage.kill(Signal::Kill);
        assert_eq!(stage.exit(), ExitStatus::Signal(9));
    });
}

#[test]
fn an_end_of_output_before_the_exit_is_an_empty_one() {
    both_ways(|stage| {
        stage.spawn(shell("exec >&- 2>&-; exec sleep 1000"));
        stage.act(Output::ReadOutput { worker: WORKER });
        match stage.next() {
            Input::WorkerOutput { bytes, .. } => assert!(bytes.is_empty()),
            other => panic!("{other:?}"),
        }
        stage.kill(Signal::Term);
        assert!(matches!(stage.next(), Input::WorkerExited { status: ExitStatus::Signal(15), .. }));
    });
}

#[test]
fn signals_reach_the_whole_group() {
    both_ways(|stage| {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        // The child holds the pipe open as long as it lives.
        stage.spawn(shell(&format!("sleep 1000 >{path} & wait")));
        let alive = File::open(&path).unwrap();
        stage.kill(Signal::Term);
        assert_eq!(stage.exit(), ExitStatus::Signal(15));
        expect_end(alive);
    });
}

#[test]
fn a_forked_child_does_not_survive_its_leader() {
    both_ways(|stage| {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        stage.spawn(shell(&format!("trap '' TERM; exec 3>{path}; sleep 1000 & exit 3")));
        let alive = File::open(&path).unwrap();
        assert_eq!(stage.exit(), ExitStatus::Code(3));
        expect_end(alive);
    });
}

#[test]
fn engine_defect_07_a_stubborn_worker_dies_of_sigkill() {
    both_ways(|stage| {
        stage.spawn(shell("trap 'echo no' TERM; echo ready; while :; do sleep 0.01; done"));
        let mut output = Vec::new();
        let mut read = |until: &str| {
            while !String::from_utf8_lossy(&output).contains(until) {
                stage.act(Output::ReadOutput { worker: WORKER });
                match stage.next() {
                    Input::WorkerOutput { bytes, .. } => output.extend_from_slice(&bytes),
                    other => panic!("{other:?}"),
                }
            }
        };
        read("ready");
        stage.kill(Signal::Term);
        read("no");
        stage.kill(Signal::Kill);
        assert_eq!(stage.exit(), ExitStatus::Signal(9));
        // A signal to one that is gone is nothing.
        stage.kill(Signal::Kill);
        stage.expect_silence();
    });
}

#[test]
fn engine_defect_27_nobody_waits_for_a_worker_that_is_slow_to_die() {
    both_ways(|stage| {
        stage.spawn(shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"));
        stage.act(Output::ReadOutput { worker: WORKER });
        assert!(matches!(stage.next(), Input::WorkerOutput { .. }));
        stage.kill(Signal::Term);
        let other = WorkerId::new(2);
        stage.act(Output::Spawn { worker: other, spec: shell("exit 5") });
        assert!(matches!(stage.next(), Input::Spawned { worker, .. } if worker == other));
        let exited = stage.next();
        assert_eq!(exited, Input::WorkerExited { worker: other, status: ExitStatus::Code(5) });
        stage.expect_silence();
        stage.kill(Signal::Kill);
        assert_eq!(stage.exit(), ExitStatus::Signal(9));
    });
}

#[test]
fn a_signal_that_comes_before_the_process_is_not_lost() {
    both_ways(|stage| {
        stage.order(vec![
            Order::Do(Output::Spawn { worker: WORKER, spec: shell("sleep 1000") }),
            Order::Do(Output::Kill { worker: WORKER, signal: Signal::Term }),
            Order::Do(Output::Kill { worker: WORKER, signal: Signal::Kill }),
        ]);
        assert!(matches!(stage.next(), Input::Spawned { .. }));
        assert_eq!(stage.exit(), ExitStatus::Signal(9));
    });
}

#[test]
fn no_worker_survives_its_driver() {
    both_ways(|mut stage| {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        stage.spawn(shell(&format!("trap '' TERM; sleep 1000 >{path} & wait")));
        let alive = File::open(&path).unwrap();
        stage.end();
        expect_end(alive);
    });
}

#[test]
fn engine_defect_07_no_zombie_is_left_and_no_record_of_it() {
    let stage = Stage::spread();
    let pid = stage.spawn(shell("exec sleep 0.2"));
    assert!(stage.props.running.lock().unwrap().contains(&pid));
    stage.exit();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(stage.props.running.lock().unwrap().is_empty());
}
