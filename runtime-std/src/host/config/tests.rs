use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::*;

fn around(dir: &Path) -> Surroundings {
    Surroundings { home: Some(dir.join("home").into()), xdg_data: None, xdg_runtime: None, uid: 1000 }
}

/// Loads a file of this content from a fresh directory.
fn load_text(text: &str) -> Result<Loaded, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.conf");
    std::fs::write(&path, text).unwrap();
    load(&Flags { config: Some(path), ..Flags::default() }, &around(Path::new("/")))
}

fn config(text: &str) -> DaemonConfig {
    load_text(text).unwrap_or_else(|error| panic!("{error}")).config
}

/// The end of the error message, from the line number on.
fn problem(text: &str) -> String {
    let message = load_text(text).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message.split_once("c.conf:").unwrap().1.to_owned()
}

fn warnings(text: &str) -> Vec<String> {
    let warnings = load_text(text).unwrap_or_else(|error| panic!("{error}")).warnings;
    warnings.iter().map(|warning| warning.to_string().split_once("c.conf:").unwrap().1.to_owned()).collect()
}

#[test]
fn nothing_at_all_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let config = load(&Flags::default(), &around(dir.path())).unwrap().config;
    assert_eq!(config.listen.value, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 10_053));
    let data = dir.path().join("home/.local/share/cocaine");
    assert_eq!(config.data, Setting::new(data.clone(), Origin::Environment("HOME")));
    assert_eq!(config.storage, Setting::default(data.join("storage")));
    assert_eq!(config.runtime, Setting::default(data.join("run")));
    assert_eq!(config.runlist.value.as_deref(), Some("default"));
}

#[test]
fn root_and_users_have_different_places() {
    let dir = tempfile::tempdir().unwrap();
    let mut around = around(dir.path());
    around.xdg_data = Some("/x/data".into());
    around.xdg_runtime = Some(dir.path().into());
    let config = load(&Flags::default(), &around).unwrap().config;
    assert_eq!(config.data.value, Path::new("/x/data/cocaine"));
    assert_eq!(config.runtime.value, dir.path().join("cocaine"));
    assert_eq!(config.runtime.origin, Origin::Environment("XDG_RUNTIME_DIR"));
    around.uid = 0;
    around.xdg_runtime = None;
    let config = load(&Flags::default(), &around).unwrap().config;
    assert_eq!(config.data, Setting::default("/var/lib/cocaine".into()));
    let none = Surroundings { home: None, xdg_data: None, xdg_runtime: None, uid: 1 };
    assert_eq!(load(&Flags::default(), &none).unwrap_err(), ConfigError::NoDataDirectory);
}

#[test]
fn a_data_directory_of_its_own_has_a_runtime_directory_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let around = Surroundings { xdg_runtime: Some(dir.path().into()), ..around(dir.path()) };
    let with = |data: String| {
        let flags = Flags { data: Some(data.into()), ..Flags::default() };
        load(&flags, &around).unwrap().config.runtime.value
    };
    assert_eq!(with("/d".into()), Path::new("/d/run"));
    let (one, other) = (with(format!("/{}", "x".repeat(90))), with(format!("/{}", "y".repeat(90))));
    assert!(one.starts_with(dir.path()) && other.starts_with(dir.path()) && one != other);
}

#[test]
fn sockets_must_fit() {
    let dir = tempfile::tempdir().unwrap();
    let flags = |runtime: usize, app: usize| Flags {
        runtime: Some(format!("/{}", "r".repeat(runtime - 1)).into()),
        apps: vec![("a".repeat(app), "/a".into())],
        ..Flags::default()
    };
    let try_with = |runtime, app| load(&flags(runtime, app), &around(dir.path()));
    // The path is `<runtime>/<app>.<number of up to ten digits>`.
    assert!(try_with(60, 107 - 60 - 1 - 11).is_ok());
    let error = try_with(60, 107 - 60 - 11).unwrap_err().to_string();
    assert!(error.contains("(from --runtime-dir) is too long for app \"aaa"), "{error}");
    let error = try_with(80, 1).unwrap_err().to_string();
    assert!(error.contains("is too long: socket paths have at most 107 bytes"), "{error}");
}

#[test]
fn toml_says_everything() {
    let text = r#"
listen = "0.0.0.0:1"
advertise = ["10.0.0.7"]
data = "/d"
runtime-dir = "/r"
storage = "/s"
spool = "sp"
runlist = ""
uuid = "u"
threads = 3
file-limit = 4096
[ports]
shared = [20000, 20100]
pinned = { storage = 20001, echo = 20002 }
[apps]
echo = "/apps/echo"
[log]
file = "/l"
format = "json"
level = "debug"
[limits]
frame-bytes = 65536
"#;
    let config = config(text);
    assert_eq!(config.bind.value, IpAddr::from([0, 0, 0, 0]), "services follow the locator");
    assert_eq!(config.advertise.value, [IpAddr::from([10, 0, 0, 7])]);
    assert!(config.spool.value.is_absolute() && config.spool.value.ends_with("sp"));
    assert_eq!((&config.runlist.value, config.uuid.value.as_deref()), (&None, Some("u")));
    assert_eq!((config.threads.value, config.file_limit.value), (3, Some(4096)));
    assert_eq!(config.shared.value, Some(PortRange { first: 20_000, last: 20_100 }));
    assert_eq!(
        (config.port_of("storage"), config.port_of("echo"), config.port_of("node")),
        (20_001, 20_002, 0)
    );
    assert_eq!(config.apps["echo"].value, Path::new("/apps/echo"));
    assert_eq!((config.log.format.value, config.log.level.value), (LogFormat::Json, Severity::Debug));
    assert_eq!(config.limits.frame_bytes.value, 65_536);
    let Origin::File(place) = &config.limits.frame_bytes.origin else { panic!() };
    assert_eq!(place.at, Position { line: 22, column: 1 });
    assert_eq!(config.limits.channels.origin, Origin::Default);
}

#[test]
fn mistakes_in_toml_are_found_with_their_place() {
    for (text, expected) in [
        ("lisen = 1", "1:1: unknown key \"lisen\": did you mean \"listen\"?"),
        ("\n[limits]\n  frame = 1", "3:3: unknown key \"limits.frame\": remove it"),
        ("listen = 10053", "1:10: listen must be \"HOST:PORT\", not 10053"),
        ("listen = \"x\"", "1:10: listen is \"x\": HOST:PORT is expected, like 127.0.0.1:10053 or [::1]:0"),
        ("threads = 0", "1:11: threads must be a whole number from 1 to 1024, not 0"),
        ("threads = -1", "1:11: threads must be a whole number from 1 to 1024, not -1"),
        ("data = \"\"", "1:8: data must be a path, not \"\""),
        ("log = 1", "1:7: log must be a table, not 1"),
        (
            "[log]\nlevel = \"loud\"",
            "2:9: log.level must be \"debug\", \"info\", \"warning\" or \"error\", not \"loud\"",
        ),
        ("[ports]\nshared = [2, 1]", "2:10: ports.shared must be [FIRST, LAST], two ports from 1 to 65535"),
        (
            "[ports.pinned]\na = 65536",
            "2:5: ports.pinned.a must be a whole number from 0 to 65535, not 65536",
        ),
        ("[apps]\nnode = \"/n\"", "2:1: \"node\" cannot be the name of an app: a service of the node has it"),
        (
            "[apps]\n\"a/b\" = \"/n\"",
            "2:1: \"a/b\" cannot be the name of an app: a name must not contain '/'",
        ),
        ("[limits]\ndepth = 33", "2:9: limits.depth must be a whole number from 8 to 32, not 33"),
    ] {
        assert_eq!(problem(text), expected, "{text:?}");
    }
    assert_eq!(load_text("threads = 1\nlisen = 1").unwrap_err().snippet().unwrap(), "lisen = 1\n^");
    assert!(problem("a = \n").starts_with("1:"));
}

#[test]
fn flags_win_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, "listen = \"127.0.0.1:1\"\n[apps]\na = \"/file\"\nb = \"/file\"\n").unwrap();
    let mut flags = Flags {
        config: Some(path),
        listen: Some("127.0.0.2:2".parse().unwrap()),
        apps: vec![("a".into(), "rel".into())],
        log_level: Some(Severity::Debug),
        ..Flags::default()
    };
    let config = load(&flags, &around(dir.path())).unwrap().config;
    assert_eq!(config.listen, Setting::new("127.0.0.2:2".parse().unwrap(), Origin::Flag("--listen")));
    assert_eq!(config.bind.value, IpAddr::from([127, 0, 0, 2]));
    assert_eq!(config.apps["a"].origin, Origin::Flag("--app"));
    assert!(config.apps["a"].value.is_absolute());
    assert_eq!(config.apps["b"].value, Path::new("/file"));
    flags.apps.push(("a".into(), "/x".into()));
    assert_eq!(load(&flags, &around(dir.path())).unwrap_err().to_string(), "--app: app \"a\" is given twice");
    flags.apps = vec![("storage".into(), "/x".into())];
    assert!(matches!(load(&flags, &around(dir.path())), Err(ConfigError::Flag { flag: "--app", .. })));
}

#[test]
fn arguments_of_flags_are_checked() {
    assert_eq!(app_argument("echo=/a=b").unwrap(), ("echo".into(), "/a=b".into()));
    for wrong in ["echo", "echo=", "=/a", "a/b=/a", "..=/a", "locator=/a"] {
        assert!(app_argument(wrong).is_err(), "{wrong}");
    }
    assert_eq!(listen_address("[::]:0").unwrap().port(), 0);
    assert_eq!(listen_address("localhost:7").unwrap().port(), 7);
    for wrong in ["", ":1", "127.0.0.1", "127.0.0.1:65536", "::1:x"] {
        assert!(listen_address(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let flags = Flags { config: Some("/no/such/file".into()), ..Flags::default() };
    let error = load(&flags, &around(Path::new("/"))).unwrap_err();
    assert_eq!(error.to_string(), "/no/such/file: cannot read it: no such file or directory");
}

const VERSION_2: &str = r#"{ "version": 2,
  "paths":    { "runtime": "/run/demo", "plugins": "/usr/lib/x" },
  "locator":  { "hostname": "n1.example", "port": 10054, "port-range": [20000, 20100] },
  "network":  { "group": "239.1.1.7", "gateway": { "type": "adhoc" } },
  "loggers":  { "core": { "type": "files", "args": { "path": "/var/log/demo", "verbosity": "warning" } } },
  "storages": { "core": { "type": "files", "args": { "path": "/srv/demo" } },
                "cache": { "type": "files", "args": { "path": "/c" } } },
  "services": { "node": { "type": "node", "args": { "runlist": "web" } },
                "storage": { "type": "storage" }, "urlfetch": { "type": "urlfetch" } } }"#;

#[test]
fn version_2_of_the_original_is_read() {
    let config = config(VERSION_2);
    assert_eq!(config.listen.value, "127.0.0.1:10054".parse().unwrap());
    assert_eq!(config.runtime.value, Path::new("/run/demo"));
    assert_eq!(config.storage.value, Path::new("/srv/demo"));
    assert_eq!(config.shared.value, Some(PortRange { first: 20_000, last: 20_099 }));
    assert_eq!(config.runlist.value.as_deref(), Some("web"));
    assert_eq!(config.log.file.value.as_deref(), Some(Path::new("/var/log/demo")));
    assert_eq!(config.log.level.value, Severity::Warning);
    assert_eq!(
        warnings(VERSION_2),
        [
            "2:41: \"paths.plugins\" has no effect here",
            "3:17: without \"locator.endpoint\" the daemon listens on loopback only; \"::\" means every address",
            "3:17: \"locator.hostname\" has no effect: clients are told addresses, not names",
            "9:51: service \"services.urlfetch\" of type \"urlfetch\" is ignored",
            "7:17: \"storages.cache\" has no effect here",
            "4:3: \"network\" has no effect here",
        ]
    );
}

const VERSION_4: &str = r#"// comments are fine
{ "version": 4,
  "paths":    { "runtime": "/run/demo" },
  "network":  { "hostname": "10.0.0.9", "endpoint": "::", "pinned": { "locator": 10055, "storage": 1234 },
                "shared": [0, 0], "pool": 4 },
  "logging":  { "severity": "debug", "loggers": { "core": [ { "sinks": [
                  { "type": "console" }, { "type": "file", "path": "/var/log/demo" }, { "type": "elastic" } ] } ] } },
  "storages": { "core": { "type": "files", "args": { "path": "/srv/demo" } } },
  "services": { "locator": { "type": "locator", "args": { "cluster": { "type": "multicast" } } },
                "storage": { "type": "storage", "args": { "backend": "core" } } },
  "unicorns": { "core": { "type": "zookeeper" } },
  "authentications": { "core": { "type": "promiscuous" } },
  "authorizations":  { "event": { "type": "disabled" }, "storage": { "type": "storage" }, },
}"#;

#[test]
fn version_4_of_the_original_is_read() {
    let config = config(VERSION_4);
    assert_eq!(config.listen.value, "[::]:10055".parse().unwrap());
    assert_eq!(config.bind.value, "::".parse::<IpAddr>().unwrap(), "an explicit wildcard is honoured");
    assert_eq!(config.advertise.value, [IpAddr::from([10, 0, 0, 9])]);
    assert_eq!((config.port_of("storage"), config.shared.value, config.threads.value), (1234, None, 4));
    assert_eq!(config.log.file.value.as_deref(), Some(Path::new("/var/log/demo")));
    assert_eq!(config.log.level.value, Severity::Debug);
    assert_eq!(
        warnings(VERSION_4),
        [
            "7:87: \"logging.loggers.core\": a sink of type \"elastic\" is ignored; console and file are known",
            "13:57: \"authorizations.storage\" is ignored: every client may do everything",
            "9:59: unknown key \"services.locator.args.cluster\" is ignored",
            "11:3: \"unicorns\" has no effect here",
        ]
    );
}

#[test]
fn mistakes_in_files_of_the_original_are_found_with_their_place() {
    for (text, expected) in [
        ("{}", "1:1: \"version\" is missing: it must be 2 or 4"),
        ("{\"version\": 5}", "1:13: version must be 2 or 4, not 5"),
        ("{ // x\n\"version\": 2}", "1:3: comments and trailing commas need version 4"),
        (
            "{\"version\": 2,\n\"storages\": {\"core\": {\"type\": \"elliptics\"}}}",
            "2:31: storages.core.type must be \"files\", the only one there is, not \"elliptics\"",
        ),
        (
            "{\"version\": 4, \"network\": {\"endpoint\": \"host\"}}",
            "1:40: network.endpoint must be a numeric address, not \"host\"",
        ),
        ("{\"version\": 4,, }", "1:15: a key in double quotes is expected here"),
    ] {
        assert_eq!(problem(text), expected, "{text:?}");
    }
    assert!(problem("{\"version\": 3}").starts_with("1:13: version 3 "));
    assert_eq!(warnings("{\"version\": 2, \"dockers\": {}}"), ["1:16: unknown key \"dockers\" is ignored"]);
}

#[test]
fn the_report_has_every_setting_with_its_origin() {
    let config = config("threads = 2\n[apps]\necho = \"/e\"\n");
    let rows = report(&config);
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!((row("threads").value.as_str(), row("listen").value.as_str()), ("2", "127.0.0.1:10053"));
    assert!(row("threads").origin.ends_with("c.conf:1"), "{:?}", row("threads"));
    assert_eq!((row("uuid").value.as_str(), row("uuid").origin.as_str()), ("-", "default"));
    assert_eq!(row("apps.echo").value, "/e");
    assert_eq!(row("data").origin, "$HOME");
    assert_eq!(row("limits.frame-bytes").value, "67108864");
    let json: serde_json::Value = serde_json::from_str(&report_json(&config)).unwrap();
    assert_eq!(json.as_object().unwrap().len(), rows.len());
    assert_eq!(json["apps.echo"]["value"], "/e");
}
