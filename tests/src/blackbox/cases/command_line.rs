//! The daemon's flags, files and exit codes.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use super::super::app::AppSpec;
use super::super::node::{Node, Place, flags};
use super::super::{Binaries, skipped};

const USAGE: i32 = 2;
const CONFIG: i32 = 3;
const IN_USE: i32 = 4;
const LISTEN: i32 = 5;

fn output(binaries: &Binaries, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    Command::new(&binaries.daemon).args(flags(arguments)).output().expect("the daemon's program")
}

/// The last line of what was said, which must be the only one.
fn one_line(text: &str) -> &str {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "one clear line: {text}");
    lines[0]
}

/// A second daemon on the same directories is told who was first.
pub fn a_second_instance(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving("app")]);
    let (code, text) = node.place.fails(binaries, [""; 0]);
    assert_eq!(code, Some(IN_USE), "{text}");
    let line = one_line(&text);
    assert!(line.contains(&node.process.id().to_string()) && line.contains("--data"), "{line}");
    let elsewhere = node.place.path("elsewhere");
    let mut command = Command::new(&binaries.daemon);
    command
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(elsewhere)
        .arg("--runtime-dir")
        .arg(node.place.runtime());
    let output = command.output().expect("the daemon's program");
    assert_eq!(output.status.code(), Some(IN_USE));
    assert!(one_line(&String::from_utf8_lossy(&output.stderr)).contains("--runtime-dir"));
    node.client("app").echoes("the first one goes on");
}

/// An address that is taken.
pub fn a_port_in_use(binaries: &Binaries) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let place = Place::new(&[]);
    let mut command = Command::new(&binaries.daemon);
    command
        .args(["--listen", &address, "--data"])
        .arg(place.data())
        .arg("--runtime-dir")
        .arg(place.runtime());
    let output = command.output().expect("the daemon's program");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(LISTEN), "{text}");
    assert!(text.contains(&address), "{text}");
    assert!(output.stdout.is_empty(), "not ready");
}

/// Flags that are wrong.
pub fn bad_flags(binaries: &Binaries) {
    for arguments in [
        &["--no-such-flag"] as &[&str],
        &["--listen", "nowhere"],
        &["--listen", "127.0.0.1:99999"],
        &["--app", "name-without-directory"],
        &["--log-format", "pretty"],
        &["no-such-command"],
    ] {
        let output = Command::new(&binaries.daemon).args(arguments).output().expect("the daemon's program");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(USAGE), "{text}");
        assert!(!text.trim().is_empty() && output.stdout.is_empty());
    }
    let place = Place::new(&[AppSpec::serving("app")]);
    let twice = format!("app={}", place.path("").display());
    let (code, text) = place.fails(binaries, flags(&[&"--app", &twice]));
    assert!(matches!(code, Some(USAGE | CONFIG)), "{code:?} {text}");
}

/// Configuration files that are wrong: file, line and column are named.
pub fn bad_configuration_files(binaries: &Binaries) {
    let place = Place::new(&[]);
    for (name, text, expected) in [
        ("typo.toml", "threads = 1\nlisten-on = \"127.0.0.1:0\"\n", "typo.toml:2:1"),
        ("value.toml", "threads = 0\n", "value.toml:1:11"),
        ("syntax.toml", "threads = = 1\n", "syntax.toml:1:"),
        ("syntax.json", "{\"version\": 4,,}", "syntax.json:1:"),
        ("version.json", "{\"version\": 3}", "version.json:1:"),
    ] {
        let file = place.write(name, text);
        let (code, text) = place.fails(binaries, flags(&[&"--config", &file]));
        assert_eq!(code, Some(CONFIG), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
    }
    let (code, text) = place.fails(binaries, flags(&[&"--config", &place.path("missing.toml")]));
    assert_eq!(code, Some(CONFIG), "{text}");
    assert!(text.contains("missing.toml"), "{text}");
}

/// Directories that cannot be used.
pub fn unusable_directories(binaries: &Binaries) {
    let place = Place::new(&[]);
    place.write("data", "a file in the way");
    let (code, text) = place.fails(binaries, [""; 0]);
    assert_eq!(code, Some(CONFIG), "{text}");
    assert!(one_line(&text).contains("--data"), "{text}");
    let place = Place::new(&[]);
    std::fs::create_dir(place.runtime()).expect("our own directory");
    std::fs::set_permissions(place.runtime(), Permissions::from_mode(0o777)).expect("it is ours");
    let (code, text) = place.fails(binaries, [""; 0]);
    assert_eq!(code, Some(CONFIG), "{text}");
    assert!(one_line(&text).contains("--runtime-dir"), "{text}");
    if rustix::process::geteuid().is_root() {
        return skipped(
            "unusable_directories",
            "root can write everywhere; a closed directory was not tried",
        );
    }
    let place = Place::new(&[]);
    std::fs::create_dir(place.data()).expect("our own directory");
    std::fs::set_permissions(place.data(), Permissions::from_mode(0o500)).expect("it is ours");
    let (code, text) = place.fails(binaries, [""; 0]);
    assert_eq!(code, Some(CONFIG), "{text}");
}

/// `check-config` prints every setting with where it came from, and starts nothing.
pub fn check_config(binaries: &Binaries) {
    let place = Place::new(&[]);
    let file = place.write("node.toml", "threads = 3\n[limits]\n");
    let data = place.data();
    let arguments: [&dyn AsRef<std::ffi::OsStr>; 5] = [&"check-config", &"--config", &file, &"--data", &data];
    let table = output(binaries, &arguments);
    assert_eq!(table.status.code(), Some(0));
    let text = String::from_utf8(table.stdout).expect("text");
    let threads = text.lines().find(|line| line.trim_start().starts_with("threads ")).expect("a row");
    assert!(threads.contains(" 3 ") && threads.contains("node.toml"), "{threads}");
    let listen = text.lines().find(|line| line.trim_start().starts_with("listen ")).expect("a row");
    assert!(listen.contains("127.0.0.1:10053") && listen.contains("default"), "{listen}");
    let json = output(binaries, &[&arguments[..], &[&"--output", &"json"]].concat());
    assert_eq!(json.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["data"]["value"], data.display().to_string());
    assert!(json["data"]["origin"].as_str().expect("text").contains("--data"), "{}", json["data"]);
    assert_eq!(text.lines().count() - 1, json.as_object().expect("an object").len(), "the same settings");
    assert!(!data.exists(), "nothing was made");
    let bad = place.write("bad.toml", "thread = 3\n");
    let refused = output(binaries, &[&"check-config", &"--config", &bad]);
    assert_eq!(refused.status.code(), Some(CONFIG));
}

/// Help and version say what there is, on standard output.
pub fn help_and_version(binaries: &Binaries) {
    let help = output(binaries, &[&"--help"]);
    let text = String::from_utf8(help.stdout).expect("text");
    for words in [
        "--listen",
        "--data",
        "--runtime-dir",
        "--app",
        "--config",
        "--log-file",
        "--log-format",
        "Exit codes",
    ] {
        assert!(text.contains(words), "{words} is not in the help");
    }
    assert_eq!(help.status.code(), Some(0));
    assert_eq!(output(binaries, &[&"--version"]).status.code(), Some(0));
}

/// Settings of a file hold, and flags win.
pub fn a_configuration_file(binaries: &Binaries) {
    let place = Place::new(&[]);
    let app = AppSpec::serving("configured").make(&place.path("apps"));
    let uuid = "5f8b1c1e-0000-4000-8000-000000000001";
    let text = format!(
        "listen = \"127.0.0.1:1\"\nuuid = \"{uuid}\"\n[apps]\nconfigured = \"{}\"\n[limits]\n",
        app.directory.display()
    );
    let file = place.write("node.toml", &text);
    let node = place.run_with(binaries, flags(&[&"--config", &file]));
    assert_eq!(node.locator().call(6, &[]), Ok(vec![uuid.into()]));
    node.client("configured").echoes("from the file");
}
