//! What single values must look like. The words of an error follow the name of the key.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use cocaine_core::config::AppName;
use cocaine_core::machine::Severity;

use super::model::{LogFormat, PortRange, SERVICES, severity_named};
use super::node::{Kind, Node};

/// Some text that is not empty.
pub(crate) fn text(node: &Node) -> Result<String, String> {
    match node.text() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("must be a text, not {}", node.kind.describe())),
    }
}

pub(crate) fn port(node: &Node) -> Result<u16, String> {
    super::limits::number(&node.kind, 0, u64::from(u16::MAX)).map(|number| u16::try_from(number).unwrap_or(0))
}

pub(crate) fn ip(node: &Node) -> Result<IpAddr, String> {
    node.text()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("must be a numeric address, not {}", node.kind.describe()))
}

pub(crate) fn ips(node: &Node) -> Result<Vec<IpAddr>, String> {
    match &node.kind {
        Kind::List(nodes) => nodes.iter().map(ip).collect(),
        _ => ip(node).map(|ip| vec![ip]),
    }
}

pub(crate) fn listen(node: &Node) -> Result<SocketAddr, String> {
    match node.text() {
        Some(text) => listen_address(text).map_err(|rule| format!("is {text:?}: {rule}")),
        None => Err(format!("must be \"HOST:PORT\", not {}", node.kind.describe())),
    }
}

/// The address `HOST:PORT` stands for. A name is looked up; the first address it has is taken.
///
/// Errors say what is wrong, to stand behind the flag's name.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    if port.is_none_or(|port| port.parse::<u16>().is_err()) {
        return Err("HOST:PORT is expected, like 127.0.0.1:10053 or [::1]:0".into());
    }
    let found = text.to_socket_addrs().map_err(|error| crate::host::os::reason(&error))?.next();
    found.ok_or_else(|| "this name has no address".into())
}

/// The parts of `NAME=DIR` of an app that runs in place. Errors say what is wrong.
pub fn app_argument(text: &str) -> Result<(String, std::path::PathBuf), String> {
    match text.split_once('=') {
        Some((name, directory)) if !directory.is_empty() => {
            app_name(name)?;
            Ok((name.to_owned(), directory.into()))
        }
        _ => Err(format!("NAME=DIR is expected, not {text:?}")),
    }
}

/// Checks that an app can have this name: it is part of a socket's path, and no service has it.
pub fn app_name(name: &str) -> Result<(), String> {
    let rule = match AppName::new(name) {
        Err(error) => error.to_string(),
        Ok(_) if SERVICES.contains(&name) => "a service of the node has it".into(),
        Ok(_) => return Ok(()),
    };
    Err(format!("{name:?} cannot be the name of an app: {rule}"))
}

pub(crate) fn format(node: &Node) -> Result<LogFormat, String> {
    let named = node.text().and_then(LogFormat::named);
    named.ok_or_else(|| format!("must be \"human\" or \"json\", not {}", node.kind.describe()))
}

pub(crate) fn severity(node: &Node) -> Result<Severity, String> {
    node.text().and_then(severity_named).ok_or_else(|| {
        format!("must be \"debug\", \"info\", \"warning\" or \"error\", not {}", node.kind.describe())
    })
}

/// A list of the first and the last port.
pub(crate) fn closed_range(node: &Node) -> Result<PortRange, String> {
    pair(node)
        .filter(|(first, last)| *first > 0 && first <= last)
        .map(|(first, last)| PortRange { first, last })
        .ok_or_else(|| "must be [FIRST, LAST], two ports from 1 to 65535".into())
}

/// The original's list of the first port and the one behind the last; `[0, 0]` is no range.
pub(crate) fn open_range(node: &Node) -> Result<Option<PortRange>, String> {
    match pair(node) {
        Some((0, 0)) => Ok(None),
        Some((first, end)) if first > 0 && first < end => Ok(Some(PortRange { first, last: end - 1 })),
        _ => Err("must be [FIRST, END], two ports of which the second is not used itself".into()),
    }
}

fn pair(node: &Node) -> Option<(u16, u16)> {
    match &node.kind {
        Kind::List(nodes) => match nodes.as_slice() {
            [first, second] => Some((port(first).ok()?, port(second).ok()?)),
            _ => None,
        },
        _ => None,
    }
}
