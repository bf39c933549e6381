//! What the operating system knows about a process.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::CpuSet;

/// The threads of a process.
fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Moves all threads of a process to the first CPU that we may use.
pub(crate) fn pin(pid: u32) -> io::Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap_or(0));
    for thread in threads(pid)? {
        // A thread may have ended in between.
        let _ = rustix::thread::sched_setaffinity(Pid::from_raw(thread as i32), &one);
    }
    Ok(())
}

/// The processes whose parent this is.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|child| parent(*child) == Some(pid)).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, parentheses too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The CPU time that the threads of a process have used.
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in threads(pid)? {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).unwrap_or_default();
        let nanos = text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0);
        sum += Duration::from_nanos(nanos);
    }
    Ok(sum)
}

/// Begins to look for the peak anew. Where that is not possible, it is the peak since the process's start.
pub(crate) fn forget_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// The most memory that a process had resident, in KiB.
pub(crate) fn peak(pid: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0))
}
