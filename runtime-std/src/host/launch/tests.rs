use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use bytes::Bytes;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::*;

const LIMITS: ArchiveLimits =
    ArchiveLimits { entries: 50, file_bytes: 10_000, total_bytes: 200_000, depth: 5 };

/// An archive under construction. Names go in as they are, however hostile.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, kind: EntryType, name: &str, mode: u32, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, 0o644, "", content.as_bytes())
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, 0o777, target, b"")
    }

    fn done(mut self) -> Bytes {
        self.0.extend_from_slice(&[0; 1024]);
        self.0.into()
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

struct Spool {
    dir: TempDir,
    launcher: Launcher,
}

impl Spool {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let launcher = Launcher::new(dir.path().join("spool"), LIMITS);
        Self { dir, launcher }
    }

    fn unpack(&self, archive: Bytes) -> Result<PathBuf, LaunchError> {
        let request = LaunchRequest::Unpack { app: "echo".into(), archive, spool: None };
        self.launcher.launch(&request).map(|launched| launched.directory.into())
    }

    fn refusal(&self, archive: Bytes) -> String {
        let error = self.unpack(archive).unwrap_err();
        assert_eq!(error.errno, 22, "{error}");
        error.text.strip_prefix("app \"echo\": ").unwrap().to_owned()
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("spool/echo")
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.home())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace("generation-", ""))
            .collect();
        names.sort();
        names
    }
}

#[test]
fn an_archive_is_unpacked_plain_and_gzipped() {
    let spool = Spool::new();
    let archive = Tar::default()
        .entry(EntryType::Directory, "./", 0o700, "", b"")
        .entry(EntryType::XGlobalHeader, "pax_global_header", 0o644, "", b"11 comment=x\n"[..].into())
        .entry(EntryType::Directory, "lib/", 0o777, "", b"")
        .file("lib/a.py", "a")
        .entry(EntryType::Regular, "deep/er/run", 0o6777, "", b"#!")
        .entry(EntryType::Link, "again", 0o644, "lib/a.py", b"")
        .link("lib/l", "../deep")
        .done();
    for archive in [archive.clone(), gzip(&archive)] {
        let directory = spool.unpack(archive).unwrap();
        assert!(directory.is_absolute());
        assert_eq!(fs::read_to_string(directory.join("lib/a.py")).unwrap(), "a");
        assert_eq!(fs::read_to_string(directory.join("again")).unwrap(), "a");
        assert_eq!(fs::read_to_string(directory.join("lib/l/er/run")).unwrap(), "#!");
        let run = fs::metadata(directory.join("deep/er/run")).unwrap();
        assert_eq!(run.permissions().mode() & 0o7777, 0o755, "set-uid and foreign write bits are gone");
        assert_eq!(fs::metadata(directory.join("lib")).unwrap().permissions().mode() & 0o7777, 0o755);
        assert_eq!(fs::metadata(directory.join("lib/a.py")).unwrap().mtime(), 1_000_000);
    }
}

/// The command-line tool of the Python framework packs a folder under the empty name.
#[test]
fn the_root_of_an_archive_may_be_a_slash() {
    let spool = Spool::new();
    let root = || Tar::default().entry(EntryType::Directory, "/", 0o755, "", b"");
    let directory = spool.unpack(root().file("worker.py", "#!").done()).unwrap();
    assert_eq!(fs::read_to_string(directory.join("worker.py")).unwrap(), "#!");
    assert_eq!(
        spool.refusal(root().file("/worker.py", "#!").done()),
        "entry \"/worker.py\": its name is absolute"
    );
    assert_eq!(spool.refusal(root().link("/", "worker.py").done()), "entry \"/\": it has no name");
}

#[test]
fn long_names_of_real_tools_are_read() {
    let spool = Spool::new();
    let name = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o644);
    builder.append_data(&mut header, &name, &b"hi"[..]).unwrap();
    let directory = spool.unpack(builder.into_inner().unwrap().into()).unwrap();
    assert_eq!(fs::read_to_string(directory.join(name)).unwrap(), "hi");
}

#[test]
fn hostile_entries_are_refused_by_name() {
    let spool = Spool::new();
    let tar = Tar::default;
    let device = |kind| tar().entry(kind, "x", 0o644, "", b"");
    for (archive, expected) in [
        (tar().file("../x", ""), "entry \"../x\": its name contains \"..\""),
        (tar().file("/etc/x", ""), "entry \"/etc/x\": its name is absolute"),
        (tar().link("l", "/etc"), "entry \"l\": it points outside, to /etc"),
        (tar().link("l", ".."), "entry \"l\": it points outside, to .."),
        (
            tar().link("d", ".").link("e", "d/d/../.."),
            "entry \"e\": \"..\" after a name is not allowed in its target d/d/../..",
        ),
        (tar().link("d", "sub").file("d/x", ""), "entry \"d/x\": it leads through the link d"),
        (tar().file("a", "1").file("./a", "2"), "entry \"./a\": it is in the archive twice"),
        (tar().file("a", "1").link("a", "b"), "entry \"a\": it is in the archive twice"),
        (tar().file("a", "1").file("a/b", "2"), "entry \"a/b\": it is inside a, which is a file"),
        (tar().entry(EntryType::Link, "h", 0o644, "../x", b""), "entry \"h\": its name contains \"..\""),
        (
            tar().link("l", "x").entry(EntryType::Link, "h", 0o644, "l", b""),
            "entry \"h\": it links to l, which is no file before it in the archive",
        ),
        (device(EntryType::Fifo), "entry \"x\": Fifo is neither file nor directory nor link"),
        (device(EntryType::Char), "entry \"x\": Char is neither file nor directory nor link"),
        (device(EntryType::Block), "entry \"x\": Block is neither file nor directory nor link"),
    ] {
        assert_eq!(spool.refusal(archive.done()), expected);
    }
    assert_eq!(spool.names(), [".lock"], "nothing is left of a refused archive");
    assert!(!spool.dir.path().join("spool/x").exists());
}

#[test]
fn limits_hold_while_reading() {
    let spool = Spool::new();
    let many = (0..51).fold(Tar::default(), |tar, n| tar.file(&format!("f{n}"), "")).done();
    assert_eq!(spool.refusal(many), "entry \"f50\": there are more than 50 entries");
    let large = Tar::default().file("f", &"x".repeat(10_001)).done();
    assert_eq!(spool.refusal(large), "entry \"f\": 10001 bytes are more than the limit of 10000 for a file");
    let deep = Tar::default().file("a/b/c/d/e/f", "").done();
    assert_eq!(spool.refusal(deep), "entry \"a/b/c/d/e/f\": it is more than 5 directories deep");
    let bomb = (0..30).fold(Tar::default(), |tar, n| tar.file(&format!("f{n}"), &"0".repeat(9000))).done();
    let bomb = gzip(&bomb);
    assert!(bomb.len() < 3000);
    let error = spool.unpack(bomb).unwrap_err();
    assert!(error.text.ends_with("it unpacks to more than the limit"), "{error}");
    // A name of a gigabyte is an entry of its own in this format.
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 30);
    header.set_cksum();
    let mut long = header.as_bytes().to_vec();
    long.resize(300_000, b'a');
    assert!(spool.unpack(gzip(&long)).unwrap_err().text.ends_with("it unpacks to more than the limit"));
}

#[test]
fn what_is_no_archive_is_said_so() {
    let spool = Spool::new();
    let whole = Tar::default().file("f", &"x".repeat(2000)).done();
    for (archive, expected) in [
        (Bytes::new(), "the archive is empty"),
        (vec![0; 10_240].into(), "the archive holds nothing"),
        (gzip(b""), "the archive holds nothing"),
        (
            Bytes::from_static(b"PK\x03\x04..."),
            "the archive is a zip file; only tar, plain or gzipped, can be read",
        ),
        (
            Bytes::from_static(b"BZh91AY"),
            "the archive is compressed with bzip2; only tar, plain or gzipped, can be read",
        ),
    ] {
        assert_eq!(spool.refusal(archive), expected);
    }
    assert!(spool.refusal(vec![b'x'; 2000].into()).starts_with("the archive cannot be read: "));
    assert!(spool.refusal(whole.slice(..1000)).contains("\"f\""), "cut inside a file");
    assert!(spool.unpack(gzip(&whole).slice(..30)).is_err(), "cut inside the compression");
}

#[test]
fn engine_defect_29_the_new_code_comes_in_one_step_into_a_fresh_directory() {
    let spool = Spool::new();
    let first = spool.unpack(Tar::default().file("old", "1").file("both", "1").done()).unwrap();
    let second = spool.unpack(Tar::default().file("both", "2").done()).unwrap();
    assert_ne!(first, second);
    assert!(!second.join("old").exists(), "no stale file");
    assert_eq!(fs::read_to_string(first.join("both")).unwrap(), "1", "running workers keep their code");
    assert_eq!(fs::canonicalize(spool.home().join("current")).unwrap(), second);
    // A broken upload changes nothing.
    spool.unpack(Tar::default().file("both", "3").file("../x", "").done()).unwrap_err();
    assert_eq!(fs::canonicalize(spool.home().join("current")).unwrap(), second);
    assert_eq!(spool.names(), [".lock", "1", "2", "current"]);
}

#[test]
fn engine_defect_29_code_in_use_is_not_removed() {
    let spool = Spool::new();
    let archive = Tar::default().file("f", "1").done();
    let first = spool.unpack(archive.clone()).unwrap();
    // A worker that started in the first generation and still runs.
    let mut worker =
        Command::new("cat").current_dir(&first).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..3 {
        spool.unpack(archive.clone()).unwrap();
    }
    assert_eq!(spool.names(), [".lock", "1", "3", "4", "current"]);
    spool.launcher.clean();
    assert_eq!(spool.names(), [".lock", "1", "4", "current"]);
    drop(worker.stdin.take());
    worker.wait().unwrap();
    fs::create_dir(spool.home().join(".new-9")).unwrap();
    spool.launcher.clean();
    assert_eq!(spool.names(), [".lock", "4", "current"]);
}

#[test]
fn a_profile_chooses_its_own_spool() {
    let spool = Spool::new();
    let archive = Tar::default().file("f", "1").done();
    let unpack = |app: &str, other: &str| {
        let request =
            LaunchRequest::Unpack { app: app.into(), archive: archive.clone(), spool: Some(other.into()) };
        spool.launcher.launch(&request)
    };
    let other = spool.dir.path().join("other");
    let launched = unpack("echo", other.to_str().unwrap()).unwrap();
    assert!(Path::new(&launched.directory).starts_with(fs::canonicalize(other).unwrap()));
    assert_eq!(unpack("echo", "relative").unwrap_err().errno, 22);
    for app in ["", ".", "..", "a/b"] {
        assert_eq!(unpack(app, "/nowhere").unwrap_err().errno, 22);
    }
    let error = unpack("echo", "/proc/none").unwrap_err();
    assert!(error.text.starts_with("app \"echo\": cannot use the spool /proc/none: "), "{error}");
}

#[test]
fn an_app_in_place_brings_its_manifest_and_profile() {
    let dir = tempfile::tempdir().unwrap();
    let launcher = Launcher::new("/nowhere", LIMITS);
    let path = dir.path().join("app");
    let request = LaunchRequest::InPlace { app: "echo".into(), directory: path.to_str().unwrap().into() };
    let error = launcher.launch(&request).unwrap_err();
    assert_eq!((error.errno, error.text.contains("cannot use directory")), (2, true), "{error}");
    fs::create_dir(&path).unwrap();
    let error = launcher.launch(&request).unwrap_err();
    assert!(error.errno == 2 && error.text.contains("manifest.json is missing"), "{error}");
    fs::write(path.join("manifest.json"), "{\"slave\":\n \"run\"}").unwrap();
    let launched = launcher.launch(&request).unwrap();
    assert_eq!(launched.directory, fs::canonicalize(&path).unwrap().to_str().unwrap());
    assert_eq!(launched.manifest.unwrap().positions["slave"], (1, 2));
    assert!(launched.profile.is_none());
    // Reread at each start.
    fs::write(path.join("profile.json"), "{\"pool-limit\": 2}").unwrap();
    assert!(launcher.launch(&request).unwrap().profile.is_some());
    fs::write(path.join("profile.json"), "{\"pool-limit\": 2").unwrap();
    let error = launcher.launch(&request).unwrap_err();
    assert!(error.errno == 22 && error.text.contains("profile.json:1:17: "), "{error}");
}
