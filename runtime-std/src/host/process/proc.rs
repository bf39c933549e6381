//! What `/proc` says about processes.

use std::fs;
use std::path::PathBuf;

/// One process, as far as it takes to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) group: i32,
    /// In ticks since the machine was started.
    pub(super) started: u64,
}

impl Process {
    /// The process of this id, unless it is gone or only waits to be reaped.
    pub(super) fn find(pid: i32) -> Option<Self> {
        parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// All processes that we can see.
    pub(super) fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::find(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    /// Its working directory, if we may know.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()
    }
}

/// The line is `pid (name) state parent group …`, and the name may contain anything.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    // The state is the third field of the line, the group the fifth, the start the twenty-second.
    Some(Process { pid, group: fields.get(2)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
}

/// Tells this run of the machine from others, after which ids and times begin anew.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_traps_is_read() {
        let line = "7 (a) R (b) ) S 1 9 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(parse(7, line), Some(Process { pid: 7, group: 9, started: 4711 }));
        assert_eq!(parse(7, "7 (a) Z 1 9 9 0"), None);
        assert_eq!(parse(7, ""), None);
    }

    #[test]
    fn we_find_ourselves() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let me = Process::find(pid).unwrap();
        assert!(me.started > 0 && Process::all().contains(&me));
        assert_eq!(me.directory(), std::env::current_dir().ok());
    }
}
