//! How an app's processes are kept apart.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::complaint::{Complaint, shown};
use super::section::Section;
use crate::wire::Value;

/// Profile key `isolate`: processes of this machine, the only kind there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Isolate {
    /// `args.spool`: where the app's code is unpacked; `None` for the daemon's own directory.
    pub(super) spool: Option<String>,
    /// `args.uid` and `args.gid`: whom workers run as, if not as the daemon.
    pub(super) identity: Option<(u32, u32)>,
    /// `args.rlimits`: resource limits by name, soft and hard; [`UNLIMITED`] is none.
    pub(super) limits: BTreeMap<String, (u64, u64)>,
}

/// A resource limit that limits nothing.
pub const UNLIMITED: u64 = u64::MAX;

/// The resources that can be limited, by the names of the operating system's manual.
const RESOURCES: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// An id that the operating system takes for "leave it as it is".
const NO_ID: u32 = u32::MAX;

impl Isolate {
    /// Reads the key `isolate` of a profile; also gives the older place of the kill timeout.
    pub(super) fn read(profile: &mut Section<'_>) -> Result<(Self, Option<Duration>), Complaint> {
        let Some(mut section) = profile.section("isolate")? else { return Ok((Self::default(), None)) };
        kind(&mut section)?;
        let mut read = (Self::default(), None);
        if let Some(mut args) = section.section("args")? {
            read.0.spool = args.text("spool")?.map(ToOwned::to_owned);
            read.0.identity = identity(&mut args)?;
            read.0.limits = limits(&mut args)?;
            read.1 = args.seconds("kill_timeout")?;
            section.absorb(args);
        }
        profile.absorb(section);
        Ok(read)
    }

    pub(super) fn to_value(&self) -> Value {
        let mut args: Vec<(Value, Value)> = Vec::new();
        if let Some(spool) = &self.spool {
            args.push(("spool".into(), spool.as_str().into()));
        }
        if let Some((uid, gid)) = self.identity {
            args.push(("uid".into(), u64::from(uid).into()));
            args.push(("gid".into(), u64::from(gid).into()));
        }
        if !self.limits.is_empty() {
            let limits = self.limits.iter();
            let limits = limits.map(|(name, (soft, hard))| {
                (name.as_str().into(), Value::Array(vec![Value::Uint(*soft), Value::Uint(*hard)]))
            });
            args.push(("rlimits".into(), Value::Map(limits.collect())));
        }
        Value::Map(vec![("type".into(), "process".into()), ("args".into(), Value::Map(args))])
    }
}

fn kind(section: &mut Section<'_>) -> Result<(), Complaint> {
    match section.text("type")? {
        None | Some("process" | "legacy_process") => Ok(()),
        Some(other) => {
            let rule = "must be process: other isolates are not available on this node";
            Err(section.wrong("type", &other.into(), rule))
        }
    }
}

fn identity(args: &mut Section<'_>) -> Result<Option<(u32, u32)>, Complaint> {
    let most = u64::from(NO_ID - 1);
    let mut id = |key| args.number(key, 0, most).map(|id| id.and_then(|id| u32::try_from(id).ok()));
    match (id("uid")?, id("gid")?) {
        (Some(uid), Some(gid)) => Ok(Some((uid, gid))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(args.about("gid", "is missing: uid needs gid beside it")),
        (None, Some(_)) => Err(args.about("uid", "is missing: gid needs uid beside it")),
    }
}

fn limits(args: &mut Section<'_>) -> Result<BTreeMap<String, (u64, u64)>, Complaint> {
    let Some(mut section) = args.section("rlimits")? else { return Ok(BTreeMap::new()) };
    let mut limits = BTreeMap::new();
    for (name, value) in section.entries()? {
        if !RESOURCES.contains(&name) {
            let rule = alloc::format!("is not a resource; there are {}", RESOURCES.join(", "));
            return Err(section.about(name, rule));
        }
        let Some(limit) = limit(value) else {
            let rule = "must be a number, or unlimited, or [soft, hard] with soft not above hard";
            return Err(section.about(name, alloc::format!("is {}: {rule}", shown(value))));
        };
        limits.insert(name.to_owned(), limit);
    }
    Ok(limits)
}

fn limit(value: &Value) -> Option<(u64, u64)> {
    match value {
        Value::Array(pair) => match pair.as_slice() {
            [soft, hard] => Some((amount(soft)?, amount(hard)?)).filter(|(soft, hard)| soft <= hard),
            _ => None,
        },
        single => amount(single).map(|both| (both, both)),
    }
}

fn amount(value: &Value) -> Option<u64> {
    match value {
        Value::Uint(number) => Some(*number),
        Value::Raw(word) if word.as_ref() == b"unlimited" => Some(UNLIMITED),
        _ => None,
    }
}
