//! A record of the process groups that we started, so that the next daemon can end what this one
//! could not.
//!
//! The file `workers` in the runtime directory begins with a line for the machine's current run;
//! then `+ GROUP STARTED DIRECTORY` for each worker that was started, `- GROUP` when it is gone.
//! Lines are appended without waiting for the disk: after a crash of the machine nobody needs them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::proc::{Process, boot_id};

const FILE: &str = "workers";

/// Lines after which the file is written anew.
const COMPACT_AFTER: usize = 1024;

/// The record of this daemon.
#[derive(Debug)]
pub struct GroupRecords {
    path: PathBuf,
    file: File,
    lines: usize,
    live: BTreeMap<i32, Record>,
}

/// How a group is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    started: u64,
    directory: PathBuf,
}

impl GroupRecords {
    /// Begins a new record in the runtime directory; the old one is lost, so
    /// [`kill_leftovers`] comes first.
    pub fn create(runtime: &Path) -> io::Result<Self> {
        let path = runtime.join(FILE);
        let live = BTreeMap::new();
        Ok(Self { file: write_anew(&path, &live)?, path, lines: 0, live })
    }

    /// Takes note of a worker that was just started, before it is reaped.
    pub fn started(&mut self, pid: u32, directory: &Path) -> io::Result<()> {
        let Some(process) = i32::try_from(pid).ok().and_then(Process::find) else { return Ok(()) };
        let record = Record { started: process.started, directory: directory.to_owned() };
        let line = started_line(process.pid, &record);
        self.live.insert(process.pid, record);
        self.append(&line)
    }

    /// Takes note that a worker's whole group is gone.
    pub fn gone(&mut self, pid: u32) -> io::Result<()> {
        let Ok(pid) = i32::try_from(pid) else { return Ok(()) };
        self.live.remove(&pid).map_or(Ok(()), |_| self.append(&format!("- {pid}\n")))
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        self.lines += 1;
        if self.lines > COMPACT_AFTER + 2 * self.live.len() {
            self.file = write_anew(&self.path, &self.live)?;
            self.lines = 0;
            return Ok(());
        }
        self.file.write_all(line.as_bytes())
    }
}

fn started_line(group: i32, record: &Record) -> String {
    format!("+ {group} {} {}\n", record.started, record.directory.display())
}

fn write_anew(path: &Path, live: &BTreeMap<i32, Record>) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let lines = live.iter().map(|(group, record)| started_line(*group, record));
    file.write_all(format!("boot {}\n{}", boot_id(), lines.collect::<String>()).as_bytes())?;
    fs::rename(new, path)?;
    Ok(file)
}

fn read(text: &str) -> BTreeMap<i32, Record> {
    let mut live = BTreeMap::new();
    let mut lines = text.lines();
    if lines.next() != Some(&format!("boot {}", boot_id())) {
        return live;
    }
    for line in lines {
        let mut words = line.splitn(4, ' ');
        let (sign, group) = (words.next(), words.next().and_then(|group| group.parse().ok()));
        match (sign, group, words.next().and_then(|started| started.parse().ok()), words.next()) {
            (Some("+"), Some(group), Some(started), Some(directory)) => {
                live.insert(group, Record { started, directory: directory.into() });
            }
            (Some("-"), Some(group), _, _) => {
                live.remove(&group);
            }
            // Half a line of a daemon that died while writing.
            _ => {}
        }
    }
    live
}

/// A process of an earlier daemon that was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its process group, that is, the id of the worker it was or belonged to.
    pub group: u32,
    /// Its id.
    pub pid: u32,
    /// Where its worker ran.
    pub directory: PathBuf,
}

/// Kills what workers of an earlier daemon left behind, and waits up to `patience` until it is gone.
/// To be called with the runtime directory claimed, before anything listens.
///
/// A worker is known by its id and start time. If it is gone but processes of its group live on, they
/// are known by the group, a later start, and the worker's directory, in which they still are.
pub fn kill_leftovers(runtime: &Path, patience: Duration) -> Vec<Leftover> {
    let records = fs::read_to_string(runtime.join(FILE)).map_or_else(|_| BTreeMap::new(), |text| read(&text));
    if records.is_empty() {
        return Vec::new();
    }
    let all = Process::all();
    let doomed: Vec<(Process, &Record)> = all
        .iter()
        .filter_map(|process| Some((*process, records.get(&process.group)?)))
        .filter(|(process, record)| belongs(process, record, &all))
        .collect();
    for (process, _) in &doomed {
        kill(process);
    }
    let deadline = Instant::now() + patience;
    while doomed.iter().any(|(process, _)| Process::find(process.pid) == Some(*process))
        && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let leftover = |(process, record): &(Process, &Record)| Leftover {
        group: process.group.unsigned_abs(),
        pid: process.pid.unsigned_abs(),
        directory: record.directory.clone(),
    };
    doomed.iter().map(leftover).collect()
}

fn belongs(process: &Process, record: &Record, all: &[Process]) -> bool {
    match all.iter().find(|leader| leader.pid == process.group) {
        Some(leader) => leader.started == record.started,
        None => {
            process.started >= record.started
                && process.directory().is_some_and(|directory| directory == record.directory)
        }
    }
}

/// The whole group if it is its leader, which also catches those it starts meanwhile.
fn kill(process: &Process) {
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    // One that is gone already is no error.
    let _ = if process.pid == process.group {
        kill_process_group(pid, Signal::KILL)
    } else {
        kill_process(pid, Signal::KILL)
    };
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A process in a group of its own that ends when its input does.
    fn start(script: &str, directory: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(directory).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn a_worker_of_a_dead_daemon_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = GroupRecords::create(dir.path()).unwrap();
        let mut left = start("cat", dir.path());
        let mut gone = start("cat", dir.path());
        records.started(left.id(), dir.path()).unwrap();
        records.started(gone.id(), dir.path()).unwrap();
        records.gone(gone.id()).unwrap();
        drop(records);
        // We are not init: the child stays a zombie, which counts as gone.
        let killed = kill_leftovers(dir.path(), PATIENCE);
        let groups: Vec<u32> = killed.iter().map(|leftover| leftover.group).collect();
        assert!(groups.contains(&left.id()) && !groups.contains(&gone.id()), "{killed:?}");
        assert!(!left.wait().unwrap().success());
        assert!(gone.try_wait().unwrap().is_none(), "one that was said to be gone is none of ours");
        drop(gone.stdin.take());
        gone.wait().unwrap();
    }

    #[test]
    fn a_child_of_a_dead_worker_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(dir.path()).unwrap();
        let mut records = GroupRecords::create(&home).unwrap();
        let mut worker = start("sleep 1000 </dev/null & echo $!; exec cat", &home);
        records.started(worker.id(), &home).unwrap();
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(worker.stdout.take().unwrap()), &mut line).unwrap();
        let child: u32 = line.trim().parse().unwrap();
        drop(worker.stdin.take());
        worker.wait().unwrap();
        let killed = kill_leftovers(&home, PATIENCE);
        assert_eq!(killed, [Leftover { group: worker.id(), pid: child, directory: home }]);
        assert_eq!(Process::find(i32::try_from(child).unwrap()), None);
    }

    #[test]
    fn an_innocent_with_the_same_id_is_spared() {
        let dir = tempfile::tempdir().unwrap();
        let mut innocent = start("cat", dir.path());
        let id = innocent.id();
        let text = format!("boot {}\n+ {id} 1 {}\n+ 99", boot_id(), dir.path().display());
        fs::write(dir.path().join(FILE), text).unwrap();
        assert_eq!(kill_leftovers(dir.path(), PATIENCE), []);
        let started = Process::find(i32::try_from(id).unwrap()).unwrap().started;
        let text = format!("boot another\n+ {id} {started} {}\n", dir.path().display());
        fs::write(dir.path().join(FILE), text).unwrap();
        assert_eq!(kill_leftovers(dir.path(), PATIENCE), []);
        assert!(innocent.try_wait().unwrap().is_none());
        drop(innocent.stdin.take());
        innocent.wait().unwrap();
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = GroupRecords::create(dir.path()).unwrap();
        let me = std::process::id();
        for _ in 0..2 * COMPACT_AFTER {
            records.started(me, Path::new("/w")).unwrap();
            records.gone(me).unwrap();
        }
        records.started(me, Path::new("/a b")).unwrap();
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(text.lines().count() < COMPACT_AFTER + 10);
        let live = read(&text);
        assert_eq!(live[&i32::try_from(me).unwrap()].directory, Path::new("/a b"));
    }
}
