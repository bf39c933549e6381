use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;

const LIMIT: u64 = 1 << 20;

fn store() -> (TempDir, FilesStorage) {
    let dir = tempfile::tempdir().unwrap();
    let store = FilesStorage::open(dir.path().join("store"), LIMIT).unwrap();
    (dir, store)
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn put(store: &FilesStorage, key: &str, value: &str, tags: &[&str]) {
    store.write("c", key, value.as_bytes(), &strings(tags)).unwrap();
}

fn find(store: &FilesStorage, tags: &[&str]) -> Vec<String> {
    store.find("c", &strings(tags)).unwrap()
}

#[test]
fn what_was_written_is_read_and_found() {
    let (_dir, store) = store();
    put(&store, "b", "2", &["x", "y"]);
    put(&store, "a", "1", &["x"]);
    assert_eq!(store.read("c", "a").unwrap(), "1");
    assert_eq!(find(&store, &["x"]), ["a", "b"]);
    assert_eq!(find(&store, &["x", "y"]), ["b"]);
    assert_eq!(find(&store, &["x", "z"]), [""; 0]);
    assert_eq!(find(&store, &[]), [""; 0]);
    assert_eq!(store.find("nowhere", &strings(&["x"])).unwrap(), [""; 0]);
}

#[test]
fn requests_of_machines_are_carried_out() {
    let (_dir, store) = store();
    let (collection, key) = ("c".to_owned(), "k".to_owned());
    let tags = strings(&["t"]);
    let value = Bytes::from_static(b"v");
    let write = StoreRequest::Write { collection, key, value: value.clone(), tags: tags.clone() };
    assert_eq!(store.run(write), Ok(StoreReply::Done));
    let read = StoreRequest::Read { collection: "c".into(), key: "k".into() };
    assert_eq!(store.run(read.clone()), Ok(StoreReply::Value(value)));
    let find = StoreRequest::Find { collection: "c".into(), tags };
    assert_eq!(store.run(find), Ok(StoreReply::Keys(strings(&["k"]))));
    let remove = StoreRequest::Remove { collection: "c".into(), key: "k".into() };
    assert_eq!(store.run(remove.clone()), Ok(StoreReply::Done));
    assert_eq!(store.run(remove), Ok(StoreReply::Done));
    let error = store.run(read).unwrap_err();
    assert_eq!(error.errno, 2);
    assert_eq!(error.text, r#"cannot read key "k" in collection "c": no such file or directory"#);
}

#[test]
fn services_defect_39_no_path_traversal() {
    let (dir, store) = store();
    fs::write(dir.path().join("secret"), "s").unwrap();
    put(&store, "k", "v", &[]);
    for name in ["..", ".", "", "/", "../secret", "a/b", "a\0b", ".cocaine-lock", &"x".repeat(256)] {
        let error = store.read("c", name).unwrap_err();
        assert_eq!(error.errno, 22, "{error}");
        assert!(error.text.contains("\"c\"") && error.text.contains(&format!("{name:?}")), "{error}");
        assert_eq!(store.read(name, "secret").unwrap_err().errno, 22);
        assert_eq!(store.write("c", name, b"", &[]).unwrap_err().errno, 22);
        assert_eq!(store.write("c", "k2", b"", &strings(&[name])).unwrap_err().errno, 22);
        assert_eq!(store.remove("c", name).unwrap_err().errno, 22);
        assert_eq!(store.find("c", &strings(&[name])).unwrap_err().errno, 22);
        assert_eq!(store.find(name, &[]).unwrap_err().errno, 22);
    }
    assert_eq!(store.read("c", "k2").unwrap_err().errno, 2);
}

#[test]
fn names_that_begin_with_a_dot_are_ordinary() {
    let (_dir, store) = store();
    store.write(".collection-acls", "manifests", b"acl", &strings(&["storage-acls"])).unwrap();
    store.write("crashlogs", "1700000000000000:uuid", b"", &strings(&["echo", ".x"])).unwrap();
    assert_eq!(store.find(".collection-acls", &strings(&["storage-acls"])).unwrap(), ["manifests"]);
    assert_eq!(store.find("crashlogs", &strings(&["echo", ".x"])).unwrap(), ["1700000000000000:uuid"]);
}

#[test]
fn services_defect_39_a_write_replaces_the_tags() {
    let (_dir, store) = store();
    put(&store, "k", "1", &["old", "both"]);
    put(&store, "other", "1", &["old"]);
    put(&store, "k", "2", &["both", "new"]);
    assert_eq!(find(&store, &["old"]), ["other"]);
    assert_eq!(find(&store, &["both", "new"]), ["k"]);
}

#[test]
fn services_defect_39_a_new_life_has_no_old_tags() {
    let (dir, store) = store();
    put(&store, "k", "1", &["t"]);
    store.remove("c", "k").unwrap();
    put(&store, "k", "2", &[]);
    assert_eq!(find(&store, &["t"]), [""; 0]);
    // The original's remove left the link behind.
    let object = dir.path().join("store/c/k");
    fs::create_dir_all(dir.path().join("store/c/stale")).unwrap();
    symlink(&object, dir.path().join("store/c/stale/k")).unwrap();
    put(&store, "k", "3", &[]);
    assert_eq!(find(&store, &["stale"]), [""; 0]);
}

#[test]
fn services_defect_39_keys_and_tags_may_not_collide() {
    let (_dir, store) = store();
    put(&store, "k", "1", &["t"]);
    let key_is_tag = store.write("c", "t", b"2", &[]).unwrap_err();
    assert_eq!(key_is_tag.errno, 21);
    assert_eq!(key_is_tag.text, r#"key "t" in collection "c": this name is a tag of the collection already"#);
    let tag_is_key = store.write("c", "l", b"2", &strings(&["fresh", "k"])).unwrap_err();
    assert_eq!(tag_is_key.errno, 20);
    assert!(tag_is_key.text.contains(r#"the tag "k""#), "{tag_is_key}");
    assert_eq!(store.write("c", "own", b"", &strings(&["own"])).unwrap_err().errno, 20);
    // Nothing of the refused writes is left.
    assert_eq!(store.read("c", "l").unwrap_err().errno, 2);
    assert_eq!(find(&store, &["fresh"]), [""; 0]);
    assert_eq!(find(&store, &["t"]), ["k"]);
    let read = store.read("c", "t").unwrap_err();
    assert_eq!((read.errno, read.text.contains("it is a tag")), (2, true));
    store.remove("c", "t").unwrap();
    assert_eq!(find(&store, &["t"]), ["k"]);
    // A tag that nobody carries any more is free to be a key.
    store.remove("c", "k").unwrap();
    put(&store, "t", "3", &[]);
}

#[test]
fn a_store_of_the_original_is_read_even_when_it_was_moved() {
    let (dir, store) = store();
    let root = dir.path().join("store");
    fs::create_dir_all(root.join("manifests/app")).unwrap();
    fs::write(root.join("manifests/echo"), "m").unwrap();
    symlink("/var/lib/elsewhere/manifests/echo", root.join("manifests/app/echo")).unwrap();
    symlink(root.join("manifests/gone"), root.join("manifests/app/gone")).unwrap();
    assert_eq!(store.read("manifests", "echo").unwrap(), "m");
    assert_eq!(store.find("manifests", &strings(&["app"])).unwrap(), ["echo"]);
    assert!(!root.join("manifests/app/gone").is_symlink(), "the dangling link was not removed");
    store.write("manifests", "echo", b"n", &strings(&["app"])).unwrap();
    assert_eq!(store.find("manifests", &strings(&["app"])).unwrap(), ["echo"]);
}

#[test]
fn too_large_a_value_is_neither_written_nor_read() {
    let (dir, store) = store();
    let large = vec![0; LIMIT as usize + 1];
    put(&store, "k", "old", &[]);
    assert_eq!(store.write("c", "k", &large, &[]).unwrap_err().errno, 27);
    assert_eq!(store.read("c", "k").unwrap(), "old");
    store.write("c", "k", &large[1..], &[]).unwrap();
    fs::write(dir.path().join("store/c/k"), &large).unwrap();
    assert_eq!(store.read("c", "k").unwrap_err().errno, 27);
}

#[test]
fn writers_that_died_are_cleaned_up_after() {
    let (dir, store) = store();
    put(&store, "k", "v", &[]);
    let left = dir.path().join("store/c/.cocaine-new-1-1");
    fs::write(&left, "half").unwrap();
    let store = FilesStorage::open(dir.path().join("store"), LIMIT).unwrap();
    assert!(!left.exists());
    assert_eq!(store.read("c", "k").unwrap(), "v");
}

/// Whatever stands where a value, a tag or a collection should be: every operation answers, and says where.
#[test]
fn services_defect_40_strange_files_are_errors_and_no_more() {
    let (dir, store) = store();
    put(&store, "k", "v", &["t"]);
    let place = dir.path().join("store/c");
    assert!(Command::new("mkfifo").arg(place.join("pipe")).status().unwrap().success());
    symlink("loop", place.join("loop")).unwrap();
    symlink("/no/such/place", place.join("nowhere")).unwrap();
    fs::create_dir(place.join("directory")).unwrap();
    fs::write(dir.path().join("store/file"), "not a collection").unwrap();
    for (name, errno) in [("pipe", 22), ("loop", 40), ("nowhere", 2), ("directory", 2)] {
        let error = store.read("c", name).unwrap_err();
        assert_eq!((error.errno, error.text.contains(&format!("{name:?}"))), (errno, true), "{error}");
    }
    assert_eq!(store.write("c", "directory", b"", &[]).unwrap_err().errno, 21);
    assert_eq!(store.write("c", "new", b"", &strings(&["nowhere"])).unwrap_err().errno, 20);
    for error in [
        store.read("file", "k").unwrap_err(),
        store.write("file", "k", b"", &[]).unwrap_err(),
        store.remove("file/", "k").unwrap_err(),
    ] {
        assert!(matches!(error.errno, 17 | 20 | 22), "{error:?}");
    }
    assert_eq!(store.find("file", &strings(&["t"])).unwrap(), [""; 0]);
    // The pipe can be replaced by a value, and the good ones are as they were.
    put(&store, "pipe", "v", &[]);
    assert_eq!((store.read("c", "pipe").unwrap(), find(&store, &["t"])), ("v".into(), strings(&["k"])));
}

#[test]
fn a_file_where_a_collection_should_be_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = FilesStorage::open(dir.path().join("store"), LIMIT).unwrap();
    fs::write(dir.path().join("store/c"), "").unwrap();
    assert_eq!(store.write("c", "k", b"v", &[]).unwrap_err().errno, 20);
}

#[test]
fn a_root_that_is_a_file_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store"), "").unwrap();
    let error = FilesStorage::open(dir.path().join("store"), LIMIT).unwrap_err();
    assert!(matches!(error.errno, 17 | 20), "{error:?}");
    assert!(error.text.starts_with("cannot use storage "), "{error}");
}

/// Readers see whole values while several writers, each with a lock file of its own as other
/// processes have, replace them; and at the end value and tags are of one writer.
#[test]
fn services_defect_39_writes_are_atomic() {
    let (dir, store) = store();
    let store = Arc::new(store);
    put(&store, "k", &"0".repeat(4096), &["0"]);
    let writers: Vec<_> = (0..4_u8)
        .map(|n| {
            let root = dir.path().join("store");
            std::thread::spawn(move || {
                let store = FilesStorage::open(root, LIMIT).unwrap();
                for _ in 0..10 {
                    store.write("c", "k", &[b'0' + n; 4096], &[n.to_string()]).unwrap();
                }
            })
        })
        .collect();
    while writers.iter().any(|writer| !writer.is_finished()) {
        let value = store.read("c", "k").unwrap();
        assert!(value.len() == 4096 && value.iter().all(|byte| *byte == value[0]));
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let winner = (store.read("c", "k").unwrap()[0] - b'0').to_string();
    let tagged: Vec<_> =
        ["0", "1", "2", "3"].into_iter().filter(|tag| !find(&store, &[tag]).is_empty()).collect();
    assert_eq!(tagged, [winner]);
}

/// Runs one ignored test of this module as root of a user and mount namespace of its own, after
/// `mount` has prepared `$DIR`. Says so if the machine does not allow such namespaces.
fn in_namespace(test: &str, mount: &str) {
    let possible = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {test}: this machine gives no user and mount namespaces");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = format!("host::storage::tests::{test}");
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-ec", &format!("{mount}; exec \"$0\" --exact --ignored --nocapture {test}")])
        .arg(std::env::current_exe().unwrap())
        .env("DIR", dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn namespace_store() -> FilesStorage {
    FilesStorage::open(Path::new(&std::env::var_os("DIR").unwrap()).join("store"), LIMIT).unwrap()
}

#[test]
fn a_full_disk_leaves_the_old_value() {
    in_namespace("inner_full_disk", "mount -t tmpfs -o size=64k tmpfs \"$DIR\"");
}

#[test]
#[ignore = "runs inside a namespace, started by the test above"]
fn inner_full_disk() {
    let store = namespace_store();
    put(&store, "k", "old", &["t"]);
    let error = store.write("c", "k", &[1; 100_000], &strings(&["u"])).unwrap_err();
    assert_eq!(error.errno, 28);
    assert_eq!(error.text, r#"cannot write key "k" in collection "c": no space left on device"#);
    assert_eq!(store.read("c", "k").unwrap(), "old");
    assert_eq!((find(&store, &["t"]), find(&store, &["u"])), (strings(&["k"]), vec![]));
    put(&store, "k", "new", &["u"]);
    assert_eq!((find(&store, &["t"]), find(&store, &["u"])), (vec![], strings(&["k"])));
}

#[test]
fn a_read_only_disk_can_still_be_read() {
    let fill =
        "mkdir -p \"$DIR/store/c/t\"; echo -n old >\"$DIR/store/c/k\"; ln -s ../k ../gone \"$DIR/store/c/t\"";
    in_namespace(
        "inner_read_only_disk",
        &format!("mount -t tmpfs tmpfs \"$DIR\"; {fill}; mount -o remount,ro \"$DIR\""),
    );
}

#[test]
#[ignore = "runs inside a namespace, started by the test above"]
fn inner_read_only_disk() {
    let store = namespace_store();
    assert_eq!(store.write("c", "k", b"new", &[]).unwrap_err().errno, 30);
    assert_eq!(store.remove("c", "k").unwrap_err().errno, 30);
    assert_eq!(store.read("c", "k").unwrap(), "old");
    assert_eq!(find(&store, &["t"]), ["k"]);
}
