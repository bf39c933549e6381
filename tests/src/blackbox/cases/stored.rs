//! Apps that live in the storage: uploaded, unpacked, started by name or from the runlist.

use std::path::Path;

use cocaine_core::wire::{Value, codes};
use rustix::process::Signal;

use super::super::Binaries;
use super::super::client::Client;
use super::super::journal::Journal;
use super::super::node::{Node, Place};
use super::super::worker;

const APP: &str = "stored";
const START: u32 = 0;
const PAUSE: u32 = 1;
const WRITE: u32 = 1;

/// An archive of files, each with its content and mode.
fn archive(files: &[(&str, &str, u32)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        // The name as it is: the builder itself would refuse what some of these tests need.
        header.as_gnu_mut().expect("a gnu header").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).expect("into memory");
    }
    builder.into_inner().expect("into memory")
}

/// Uploads an app as tools do: everything packed once more in msgpack.
fn upload(node: &Node, manifest: &Value, profile: &Value, archive: Vec<u8>) {
    let mut storage = node.client("storage");
    let mut put = |collection: &str, key: &str, tag: &str, value: &Value| {
        let value = Value::Raw(value.to_vec().into());
        let tags = Value::array([tag]);
        storage.call(WRITE, &[collection.into(), key.into(), value, tags]).expect(collection);
    };
    put("manifests", APP, "app", manifest);
    put("profiles", "default", "profile", profile);
    put("apps", APP, "app", &Value::Raw(archive.into()));
}

fn version(journal: &Path, words: &str) -> Vec<u8> {
    archive(&[("worker", &worker::script("serve", journal), 0o755), ("version", words, 0o644)])
}

fn manifest() -> Value {
    Value::map([("slave", "worker")])
}

fn start(client: &mut Client) -> Result<Vec<Value>, cocaine_core::wire::Failure> {
    client.call(START, &[APP.into(), "default".into()])
}

/// A node with an app uploaded, and the journal of its workers.
fn uploaded(binaries: &Binaries) -> (Node, Journal) {
    let node = Node::with(binaries, &[]);
    let journal = Journal::create(&node.place.path("journal"));
    upload(&node, &manifest(), &Value::Map(vec![]), version(journal.path(), "one"));
    (node, journal)
}

/// An uploaded app starts, serves, and is another one after the next upload and start.
pub fn an_uploaded_app(binaries: &Binaries) {
    let (node, journal) = uploaded(binaries);
    let mut service = node.client("node");
    assert_eq!(start(&mut service), Ok(vec![]));
    let mut client = node.client(APP);
    assert_eq!(client.request("file", "version").text(), "one");
    let directory = client.request("directory", "").text();
    assert!(directory.starts_with(&node.place.data().join("spool").display().to_string()), "{directory}");
    // The upload changes nothing for those that run.
    upload(&node, &manifest(), &Value::Map(vec![]), version(journal.path(), "two"));
    assert_eq!(client.request("file", "version").text(), "one");
    assert_eq!(service.call(PAUSE, &[APP.into()]), Ok(vec![]));
    assert_eq!(start(&mut service), Ok(vec![]));
    assert_eq!(node.client(APP).request("file", "version").text(), "two");
    assert_eq!(journal.count("start "), 2);
}

/// What is missing is named: manifest, profile, archive; each start that fails leaves the way free.
pub fn what_is_missing_is_named(binaries: &Binaries) {
    let (node, _journal) = uploaded(binaries);
    let mut storage = node.client("storage");
    let mut service = node.client("node");
    for (collection, key) in [("apps", APP), ("profiles", "default"), ("manifests", APP)] {
        storage.call(2, &[collection.into(), key.into()]).expect("removed");
        let text = service.refused(START, &[APP.into(), "default".into()], codes::NOT_FOUND);
        assert!(text.contains(&format!("{collection}/{key}")), "{text}");
    }
    storage.call(WRITE, &["manifests".into(), APP.into(), "no msgpack \u{c1}".into()]).expect("written");
    let text = service.refused(START, &[APP.into(), "default".into()], codes::INVALID_ARGUMENT);
    assert!(text.contains("manifests/stored"), "{text}");
}

/// Archives that would write elsewhere are refused, and write nothing anywhere.
pub fn hostile_archives(binaries: &Binaries) {
    let (node, journal) = uploaded(binaries);
    let outside = node.place.path("escaped");
    let absolute = outside.display().to_string();
    let mut service = node.client("node");
    for name in ["../../../escaped", &absolute, "a/../../escaped"] {
        let script = worker::script("serve", journal.path());
        let files = [("worker", script.as_str(), 0o755), (name, "gotcha", 0o644)];
        upload(&node, &manifest(), &Value::Map(vec![]), archive(&files));
        let text = service.refused(START, &[APP.into(), "default".into()], codes::SPOOL_FAILED);
        assert!(text.contains("escaped"), "{text}");
        assert!(!outside.exists() && !node.place.data().join("escaped").exists(), "{name}");
    }
    upload(&node, &manifest(), &Value::Map(vec![]), b"this is no archive".to_vec());
    service.refused(START, &[APP.into(), "default".into()], codes::SPOOL_FAILED);
    upload(&node, &manifest(), &Value::Map(vec![]), version(journal.path(), "good"));
    assert_eq!(start(&mut service), Ok(vec![]));
}

/// Apps of the runlist run when the node is ready; one that cannot start keeps nobody else from it.
pub fn the_runlist(binaries: &Binaries) {
    let (mut node, _journal) = uploaded(binaries);
    let runlist = Value::map([(APP, "default"), ("ghost", "default")]);
    let runlist = Value::Raw(runlist.to_vec().into());
    node.client("storage").call(WRITE, &["runlists".into(), "default".into(), runlist]).expect("written");
    assert!(node.stop(Signal::TERM).success());
    let node = node.again(binaries);
    assert_eq!(node.client(APP).request("file", "version").text(), "one");
    assert_eq!(node.client("node").call(2, &[]), Ok(vec![Value::array([APP])]));
    node.log.contains("app ghost cannot start");
}

/// A local app hides a stored one of its name, and is never written to the storage.
pub fn a_local_app_hides_a_stored_one(binaries: &Binaries) {
    let local = super::super::app::AppSpec::serving(APP)
        .manifest(r#"{"slave": "worker", "environment": {"WHICH": "local"}}"#);
    let node = Place::new(&[local]).run(binaries);
    let journal = Journal::create(&node.place.path("journal"));
    upload(&node, &manifest(), &Value::Map(vec![]), version(journal.path(), "stored"));
    let mut service = node.client("node");
    assert_eq!(service.call(PAUSE, &[APP.into()]), Ok(vec![]));
    assert_eq!(start(&mut service), Ok(vec![]));
    assert_eq!(node.client(APP).request("variable", "WHICH").text(), "local");
    let stored = node.client("storage").call(0, &["manifests".into(), APP.into()]);
    assert_eq!(stored, Ok(vec![Value::Raw(manifest().to_vec().into())]));
}
