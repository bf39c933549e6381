//! Locator, storage and logging, over TCP.

use std::os::unix::fs::PermissionsExt;

use cocaine_core::wire::v1::message::{CLOSE, WRITE};
use cocaine_core::wire::{Value, codes};

use super::super::Binaries;
use super::super::app::AppSpec;
use super::super::node::{Node, Place, endpoints, flags};
use super::super::stage::SUBJECT;

/// All methods of the locator of a node without a cluster.
pub fn the_locator(binaries: &Binaries) {
    const RESOLVE: u32 = 0;
    let node = Node::with(binaries, &[AppSpec::serving(SUBJECT)]);
    let mut locator = node.locator();
    for (name, version, method) in [
        ("locator", 3, "resolve"),
        ("node", 1, "start_app"),
        ("storage", 1, "read"),
        ("logging", 2, "emit"),
        (SUBJECT, 1, "enqueue"),
    ] {
        let values = locator.call(RESOLVE, &[name.into()]).expect(name);
        let [addresses, number, graph] = values.as_slice() else { panic!("three values: {values:?}") };
        assert_eq!(number.as_u64(), Some(version), "{name}");
        let first = graph.as_map().and_then(|methods| methods.first()).expect("a method tree");
        assert_eq!(first.0, Value::Uint(0));
        assert_eq!(first.1.as_array().and_then(|method| method[0].as_str()), Some(method));
        assert!(endpoints(addresses)[0].ip().is_loopback());
        if name != SUBJECT {
            assert_eq!(endpoints(addresses), [node.address(name)]);
        }
    }
    locator.call(RESOLVE, &[SUBJECT.into(), "a seed".into()]).expect("a seed changes nothing");
    locator.refused(RESOLVE, &["nobody".into()], codes::SERVICE_NOT_AVAILABLE);
    locator.refused(RESOLVE, &[Value::Uint(1)], codes::BAD_ARGUMENTS);
    locator.refused(99, &[], codes::SLOT_NOT_BOUND);
    let uuid = locator.call(6, &[]).expect("a uuid");
    assert_eq!(uuid[0].as_str().map(str::len), Some(36));
    assert_eq!(node.locator().call(6, &[]), Ok(uuid));
    assert_eq!(locator.call(3, &[]), Ok(vec![Value::Map(vec![])]), "no cluster");
    assert_eq!(locator.call(2, &[Value::array(["group"])]), Ok(vec![]));
}

/// The methods of the locator that keep their channel open, and the one that does not.
pub fn the_locators_streams(binaries: &Binaries) {
    let node = Node::with(binaries, &[]);
    let mut locator = node.locator();
    let connect = locator.open(1, &["00000000-0000-4000-8000-000000000000".into()]);
    assert_eq!(locator.next(connect).message, CLOSE, "without a cluster there is nothing to stream");
    let routing = locator.open(5, &["router".into()]);
    let groups = locator.next(routing);
    assert_eq!((groups.message, groups.args), (WRITE, vec![Value::Map(vec![])]));
    locator.nothing_on(routing);
    locator.send(routing, 0, &[]);
    assert_eq!(locator.next(routing).message, CLOSE);
    let address = Value::array([Value::array([Value::from("127.0.0.1"), Value::Uint(4242)])]);
    let lease = locator.open(4, &["outside".into(), address]);
    assert_eq!(locator.result(lease), Ok(vec![]));
    locator.refused(0, &["outside".into()], codes::SERVICE_NOT_AVAILABLE);
    locator.send(lease, 0, &[]);
    locator.nothing_on(lease);
    locator.refused(4, &["outside".into(), "nowhere".into()], codes::BAD_ARGUMENTS);
}

const READ: u32 = 0;
const PUT: u32 = 1;
const REMOVE: u32 = 2;
const FIND: u32 = 3;

/// What is written is read, found by its tags, and gone after it was removed.
pub fn the_storage(binaries: &Binaries) {
    let node = Node::with(binaries, &[]);
    let mut storage = node.client("storage");
    let (collection, tags) = (Value::from("notes"), |words: &[&str]| Value::array(words.iter().copied()));
    let blob = Value::Raw((0..=255).collect::<Vec<u8>>().into());
    assert_eq!(
        storage.call(PUT, &[collection.clone(), "a".into(), blob.clone(), tags(&["red", "big"])]),
        Ok(vec![])
    );
    assert_eq!(
        storage.call(PUT, &[collection.clone(), "b".into(), "text".into(), tags(&["red"])]),
        Ok(vec![])
    );
    assert_eq!(storage.call(PUT, &[collection.clone(), "c".into(), "no tags".into()]), Ok(vec![]));
    assert_eq!(storage.call(READ, &[collection.clone(), "a".into()]), Ok(vec![blob]));
    let find = |words: &[&str]| [Value::from("notes"), Value::array(words.iter().copied())];
    assert_eq!(storage.call(FIND, &find(&["red"])), Ok(vec![tags(&["a", "b"])]));
    assert_eq!(storage.call(FIND, &find(&["red", "big"])), Ok(vec![tags(&["a"])]));
    assert_eq!(storage.call(FIND, &find(&["blue"])), Ok(vec![tags(&[])]));
    assert_eq!(storage.call(REMOVE, &[collection.clone(), "a".into()]), Ok(vec![]));
    assert_eq!(storage.call(REMOVE, &[collection.clone(), "a".into()]), Ok(vec![]), "absent is removed");
    storage.refused(READ, &[collection.clone(), "a".into()], codes::NOT_FOUND);
    storage.refused(READ, &["nothing".into(), "a".into()], codes::NOT_FOUND);
    assert_eq!(storage.call(PUT, &[collection.clone(), "a".into(), "again".into()]), Ok(vec![]));
    assert_eq!(storage.call(FIND, &find(&["red"])), Ok(vec![tags(&["b"])]), "old tags stay away");
    storage.refused(PUT, &[collection.clone(), "a".into()], codes::BAD_ARGUMENTS);
    storage.refused(9, &[], codes::SLOT_NOT_BOUND);
    for name in ["../escape", "..", "", "a/b", "a\0b"] {
        let failure = storage.call(PUT, &[collection.clone(), name.into(), "x".into()]).expect_err(name);
        assert_eq!(failure.code, codes::INVALID_ARGUMENT, "{name:?}: {failure}");
    }
    assert!(!node.place.data().join("escape").exists());
}

/// What was stored is there after a restart.
pub fn the_storage_survives_a_restart(binaries: &Binaries) {
    let mut node = Node::with(binaries, &[]);
    node.client("storage").call(PUT, &["notes".into(), "key".into(), "value".into()]).expect("written");
    assert!(node.stop(rustix::process::Signal::TERM).success());
    let node = node.again(binaries);
    let read = node.client("storage").call(READ, &["notes".into(), "key".into()]);
    assert_eq!(read, Ok(vec!["value".into()]));
}

/// A storage that cannot be written answers each write with the system's reason, and reads go on.
pub fn a_storage_that_cannot_be_written(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving(SUBJECT)]);
    let mut storage = node.client("storage");
    storage.call(PUT, &["notes".into(), "key".into(), "value".into()]).expect("written");
    // A file where a directory is needed stops everybody, root too.
    std::fs::write(node.place.data().join("storage/blocked"), "").expect("our own directory");
    storage.refused(PUT, &["blocked".into(), "key".into(), "value".into()], codes::NOT_A_DIRECTORY);
    if !rustix::process::geteuid().is_root() {
        let closed = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(node.place.data().join("storage/notes"), closed).expect("it is ours");
        storage.refused(PUT, &["notes".into(), "other".into(), "value".into()], codes::UNREADABLE);
    }
    assert_eq!(storage.call(READ, &["notes".into(), "key".into()]), Ok(vec!["value".into()]));
    node.client(SUBJECT).echoes("apps do not notice");
}

/// A full disk: the write fails with the system's reason, what was there before stays, and apps go on.
pub fn a_full_disk(binaries: &Binaries) {
    const NO_SPACE: i32 = 28;
    let place = Place::new(&[AppSpec::serving(SUBJECT)]);
    let storage = place.data().join("storage");
    std::fs::create_dir_all(&storage).expect("our own directory");
    let mount = "mount -t tmpfs -o size=64k,mode=700 none \"$0\"";
    let tried = std::process::Command::new("unshare").args(["-m", "sh", "-c", mount]).arg(&storage).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return super::super::skipped("a_full_disk", "a small file system cannot be mounted here");
    }
    let plain = place.command(binaries);
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{mount} && exec \"$@\"")]).arg(&storage);
    command.arg(plain.get_program()).args(plain.get_args());
    let node = Node::start(place, command);
    let mut client = node.client("storage");
    client.call(PUT, &["notes".into(), "key".into(), "value".into()]).expect("there is room");
    let large = Value::Raw(vec![7; 256 * 1024].into());
    for key in ["key", "other"] {
        let failure = client.call(PUT, &["notes".into(), key.into(), large.clone()]).expect_err("no room");
        assert_eq!(failure.code, cocaine_core::wire::ErrorCode::new(12, NO_SPACE), "{failure}");
    }
    assert_eq!(client.call(READ, &["notes".into(), "key".into()]), Ok(vec!["value".into()]));
    client.call(PUT, &["notes".into(), "small".into(), "value".into()]).expect("the room was given back");
    node.client(SUBJECT).echoes("apps do not notice");
}

const EMIT: u32 = 0;
const VERBOSITY: u32 = 1;
const SET_VERBOSITY: u32 = 2;

/// Records reach the log, above the level that was set.
pub fn the_logging_service(binaries: &Binaries) {
    let node = Place::new(&[]).run_with(binaries, flags(&[&"-v"]));
    let mut logging = node.client("logging");
    let mut emit = |level: u64, text: &str| {
        let attributes = Value::array([Value::array([Value::from("colour"), Value::from("green")])]);
        let channel = logging.open(EMIT, &[Value::Uint(level), "app/test".into(), text.into(), attributes]);
        logging.nothing_on(channel);
    };
    emit(3, "the first record");
    node.log.contains("the first record");
    node.log.contains("green");
    emit(0, "a detail");
    node.log.contains("a detail");
    let mut other = node.client("logging");
    assert_eq!(other.call(VERBOSITY, &[]), Ok(vec![Value::Uint(0)]));
    assert_eq!(other.call(SET_VERBOSITY, &[Value::Uint(2)]), Ok(vec![]));
    assert_eq!(other.call(VERBOSITY, &[]), Ok(vec![Value::Uint(2)]));
    other.refused(SET_VERBOSITY, &[Value::Uint(9)], codes::BAD_ARGUMENTS);
    emit(1, "nobody cares");
    emit(2, "the last record");
    node.log.contains("the last record");
    assert!(!node.log.text().contains("nobody cares"));
    let channel = other.open(EMIT, &["loud".into()]);
    other.nothing_on(channel);
    node.log.contains("cannot be read");
}
