//! Resource limits by name.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The resource of this name, as profiles and `setrlimit` write it.
pub(super) fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

/// Sets one limit of this process; `u64::MAX` means no limit.
pub(super) fn set(resource: Resource, soft: u64, hard: u64) -> std::io::Result<()> {
    let finite = |limit: u64| (limit != u64::MAX).then_some(limit);
    Ok(setrlimit(resource, Rlimit { current: finite(soft), maximum: finite(hard) })?)
}

/// How many files a process may have open; `u64::MAX` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimit {
    /// The limit in force.
    pub soft: u64,
    /// What it can be raised to.
    pub hard: u64,
}

impl FileLimit {
    /// The limit of this process.
    #[must_use]
    pub fn current() -> Self {
        let limit = getrlimit(Resource::Nofile);
        Self { soft: limit.current.unwrap_or(u64::MAX), hard: limit.maximum.unwrap_or(u64::MAX) }
    }
}

/// Raises our own soft limit of open files to `wanted`, or as far as the hard limit allows, and
/// returns the one before, which workers get back. A soft limit that is higher already stays.
pub fn raise_file_limit(wanted: Option<u64>) -> FileLimit {
    let before = FileLimit::current();
    let soft = wanted.unwrap_or(before.hard).min(before.hard);
    if soft > before.soft {
        // What is not allowed here was not promised by the system either; the old limit stays.
        let _ = set(Resource::Nofile, soft, before.hard);
    }
    before
}
