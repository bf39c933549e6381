//! `cocaine-runtime demo`.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{RUNTIME, Serving, files, processes_about, program, run};

/// A demo that can leave nothing outside of this directory.
fn demo(folder: &Path) -> Command {
    let mut command = program(RUNTIME);
    for variable in ["TMPDIR", "HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
        command.env(variable, folder);
    }
    command.arg("demo");
    command
}

fn left_nothing(folder: &Path) {
    assert_eq!(files(folder), Vec::<String>::new());
    assert_eq!(processes_about(folder.to_str().unwrap()), Vec::<String>::new());
}

#[test]
fn it_tells_its_story_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let ended = run(demo(folder.path()).args(["--once", "--listen", "127.0.0.1:0"]));
    let out = ended.done();
    for part in
        ["ping \"hello\" -> \"hello\" after ", "[42,42] custom failure", "Forty calls at once", "Stopping"]
    {
        assert!(out.contains(part), "{part:?} is not in {out}");
    }
    let ready: Vec<&str> = out.lines().filter(|line| line.starts_with("ready ")).collect();
    assert!(matches!(ready[..], [line] if line.starts_with("ready locator=127.0.0.1:")), "{out}");
    let table: Vec<&str> = out.lines().filter(|line| line.starts_with("echo ")).collect();
    assert_eq!(table.len(), 2, "before and after: {out}");
    assert!(table[1].contains(" 0/100 ") && table[1].ends_with(" 44"), "nothing waits in the end: {out}");
    left_nothing(folder.path());
}

#[test]
fn it_takes_another_port_if_the_usual_one_is_taken() {
    // If somebody else has it, or a test beside this one, they may give it back at any moment: no test then.
    let Ok(_taken) = TcpListener::bind("127.0.0.1:10053") else { return };
    let folder = TempDir::new().unwrap();
    let ended = run(demo(folder.path()).arg("--once"));
    let out = ended.done();
    assert!(out.contains("Port 10053 is taken"), "{out}");
    assert!(out.contains("ready locator=127.0.0.1:") && !out.contains("127.0.0.1:10053"), "{out}");
    left_nothing(folder.path());
}

#[test]
fn it_does_not_take_another_port_than_it_was_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let ended = run(demo(folder.path()).args(["--once", "--listen", &address]));
    assert!(ended.failed(5).contains(&address), "{ended:?}");
    left_nothing(folder.path());
}

#[test]
fn it_serves_until_ctrl_c() {
    let folder = TempDir::new().unwrap();
    let demo = Serving::start(demo(folder.path()).args(["--listen", "127.0.0.1:0"]));
    assert!(demo.story.iter().any(|line| line.contains("Forty calls")), "{:?}", demo.story);
    let locator = demo.address("locator").to_string();
    let reply =
        run(program(crate::program::TOOL).args(["--locator", &locator, "call", "echo", "ping", "hi"]));
    assert_eq!(reply.done(), "hi");
    let ended = demo.stop(Signal::INT);
    let told = ended.done();
    assert!(told.contains(&format!("--locator {locator}")) && told.ends_with("Stopping …\n"), "{told}");
    left_nothing(folder.path());
}
