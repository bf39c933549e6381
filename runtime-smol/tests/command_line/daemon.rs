//! `cocaine-runtime` and its `check-config`.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::node::Node;
use crate::program::{RUNTIME, Serving, program, run};

#[test]
fn standard_output_has_the_ready_line_and_nothing_else() {
    let node = Node::with_echo();
    assert_eq!(node.daemon.story, Vec::<String>::new());
    for service in ["locator", "node", "storage", "logging"] {
        assert_ne!(node.daemon.address(service).port(), 0);
    }
    node.tool(&["call", "echo", "ping", "x"]).done();
    assert_eq!(node.daemon.stop(Signal::TERM).done(), "");
}

#[test]
fn the_log_tells_the_life_of_a_node_in_few_lines() {
    let Node { daemon, folder } = Node::with_echo();
    let locator = daemon.address("locator");
    daemon.stop(Signal::TERM).done();
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let said: Vec<&str> = log.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    let data = folder.path().join("data");
    for (line, parts) in said.iter().zip([
        ["INFO  node  cocaine-runtime", &format!("data={}", data.display())],
        ["INFO  node  no app is started from the runlist", "there is none yet"],
        ["INFO  node  app echo has started", " at 127.0.0.1:"],
        ["INFO  node  node ", &format!(" serves: locator={locator} ")],
        ["INFO  node  SIGTERM: stopping", "a second one stops at once"],
        ["INFO  app/echo  stopping", ""],
        ["INFO  node  app echo has stopped", ""],
        ["INFO  node  stopped", ""],
    ]) {
        assert!(line.starts_with(parts[0]) && line.contains(parts[1]), "{parts:?}: {log}");
    }
    assert_eq!(said.len(), 8, "{log}");
}

#[test]
fn run_spelled_out_is_the_same() {
    let folder = TempDir::with_prefix("cocaine-cl-").unwrap();
    let mut command = program(RUNTIME);
    command.args(["run", "--listen", "127.0.0.1:0", "-v", "--log-format", "json"]);
    command.arg("--data").arg(folder.path().join("data")).arg("--runtime-dir").arg(folder.path().join("run"));
    let ended = Serving::start(&mut command).stop(Signal::TERM);
    assert_eq!((ended.code, ended.out()), (Some(0), ""), "{ended:?}");
    let severity = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["severity"].clone();
    assert!(ended.err.lines().any(|line| severity(line) == "debug"), "{ended:?}");
}

#[test]
fn a_taken_port_is_one_line_and_its_own_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::with_prefix("cocaine-cl-").unwrap();
    let mut command = program(RUNTIME);
    command.args(["--listen", &address, "--data"]).arg(folder.path().join("data"));
    command.arg("--runtime-dir").arg(folder.path().join("run"));
    command.arg("--log-file").arg(folder.path().join("log"));
    let ended = run(&mut command);
    let told = ended.failed(5);
    assert_eq!(told.matches(&address).count(), 1, "{told}");
    assert!(told.contains("Address already in use") && told.contains("--listen"), "{told}");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(
        log.matches("Address already in use").count(),
        1,
        "who reads only the log learns it too: {log}"
    );
}

#[test]
fn check_config_prints_every_setting_and_its_origin() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("node.toml");
    fs::write(&file, "threads = 3\n").unwrap();
    let check = |more: &[&str]| {
        let mut command = program(RUNTIME);
        command.args(["check-config", "--listen", "127.0.0.1:7", "--config"]).arg(&file).args(more);
        run(&mut command)
    };
    let table = check(&[]);
    let row = |name: &str| table.done().lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(table.done().starts_with("SETTING "), "{table:?}");
    assert!(row("listen ").contains(" 127.0.0.1:7 ") && row("listen ").ends_with(" --listen"), "{table:?}");
    assert!(row("threads ").contains(" 3 ") && row("threads ").contains("node.toml"), "{table:?}");
    assert!(row("limits.depth ").ends_with(" default"), "{table:?}");
    let settings: serde_json::Value = serde_json::from_str(check(&["--output", "json"]).done()).unwrap();
    assert_eq!(settings["listen"]["value"], "127.0.0.1:7");
    assert_eq!(settings.as_object().unwrap().len() + 1, table.done().lines().count());
}

#[test]
fn a_mistake_in_a_file_is_shown_in_its_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("node.toml");
    fs::write(&file, "\nthreats = 3\n").unwrap();
    for command in [&["check-config"] as &[&str], &["run"], &[]] {
        let ended = run(program(RUNTIME).args(command).arg("--config").arg(&file));
        assert_eq!((ended.code, ended.out()), (Some(3), ""), "{ended:?}");
        assert!(ended.err.contains("node.toml") && ended.err.contains("2:1"), "{ended:?}");
        assert!(ended.err.contains("threats"), "{ended:?}");
    }
}

#[test]
fn a_wrong_command_line_gets_a_hint() {
    for (arguments, hint) in [
        (&["--lisen", "127.0.0.1:0"] as &[&str], "'--listen'"),
        (&["chek-config"], "'check-config'"),
        (&["--listen", "nowhere"], "nowhere"),
        (&["--app", "echo"], "NAME=DIR"),
        (&["demo", "--twice"], "--twice"),
    ] {
        let ended = run(program(RUNTIME).args(arguments));
        assert_eq!((ended.code, ended.out()), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains(hint), "{hint} is not in {}", ended.err);
    }
}

#[test]
fn every_command_explains_itself() {
    for command in [&[] as &[&str], &["check-config"], &["demo"]] {
        let help = run(program(RUNTIME).args(command).arg("--help"));
        assert!(help.done().contains("\nExamples:\n"), "{command:?}: {help:?}");
    }
    let help = run(program(RUNTIME).arg("--help"));
    assert!(help.done().contains("Exit codes:") && !help.done().contains("echo-worker"), "{help:?}");
    assert!(run(program(RUNTIME).args(["run", "--help"])).done().contains("--runtime-dir"));
}
