//! Listening sockets.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cocaine_core::machine::{Endpoint, IoError, ListenAt, Peer};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags, sockopt};

use super::socket::{self, io_error};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket that accepts. A Unix socket's file goes when this is dropped.
pub(super) struct Listener {
    pub(super) fd: OwnedFd,
    place: Place,
    /// Whether the last accept ran out of descriptors or memory, which is logged only once in a row.
    pub(super) short: bool,
}

enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What accepting once gave.
pub(super) enum Accepted {
    One(OwnedFd, Peer),
    /// Nobody waits.
    Nobody,
    /// The process or the machine has no descriptors or memory left: a pause may help.
    Short(Errno),
    /// The listener is broken.
    Broken(Errno),
}

impl Listener {
    /// Opens a listener and says where it really listens.
    pub(super) fn open(at: &ListenAt) -> Result<(Self, Endpoint), IoError> {
        match at {
            ListenAt::Tcp(addr) => {
                Self::tcp(addr).map_err(|error| io_error(format_args!("listening on {addr}"), error))
            }
            ListenAt::Unix { path, owner } => Self::unix(Path::new(path), *owner)
                .map(|listener| (listener, Endpoint::Unix(path.clone())))
                .map_err(|error| io_error(format_args!("listening on {path}"), error)),
        }
    }

    fn tcp(addr: &SocketAddr) -> Result<(Self, Endpoint), Errno> {
        // Accepted connections inherit no-delay and keep-alive from here.
        let fd = socket::tcp_socket(addr)?;
        sockopt::set_socket_reuseaddr(&fd, true)?;
        rustix::net::bind(&fd, addr)?;
        rustix::net::listen(&fd, BACKLOG)?;
        let real = SocketAddr::try_from(rustix::net::getsockname(&fd)?)?;
        Ok((Self { fd, place: Place::Tcp(real), short: false }, Endpoint::Tcp(real)))
    }

    fn unix(path: &Path, owner: Option<u32>) -> Result<Self, Errno> {
        let addr = SocketAddrUnix::new(path)?;
        remove_stale(path, &addr)?;
        let fd = socket::unix_socket()?;
        rustix::net::bind(&fd, &addr)?;
        // From here on the file is ours to remove.
        let listener = Self { fd, place: Place::Unix(path.to_owned()), short: false };
        // Nobody can connect before `listen`, so there is no moment with wider permissions.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| errno(&error))?;
        if owner.is_some() {
            std::os::unix::fs::chown(path, owner, None).map_err(|error| errno(&error))?;
        }
        rustix::net::listen(&listener.fd, BACKLOG)?;
        Ok(listener)
    }

    pub(super) fn accept(&self) -> Accepted {
        loop {
            return match rustix::net::accept_with(&self.fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(fd) => {
                    let peer = self.peer(&fd);
                    Accepted::One(fd, peer)
                }
                Err(Errno::AGAIN) => Accepted::Nobody,
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                    Accepted::Short(error)
                }
                Err(error @ (Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP)) => {
                    Accepted::Broken(error)
                }
                // The connection was gone before it was accepted, in one of many ways.
                Err(_) => continue,
            };
        }
    }

    fn peer(&self, fd: &OwnedFd) -> Peer {
        match self.place {
            Place::Tcp(_) => Peer::default(),
            Place::Unix(_) => cocaine_runtime_std::host::process::peer(fd),
        }
    }
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp(addr) => addr.fmt(f),
            Place::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Place::Unix(path) = &self.place {
            // If it is gone already, that is what is wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes a socket file that nobody listens on. One that somebody listens on is theirs, and what is
/// not a socket is not ours to remove.
fn remove_stale(path: &Path, addr: &SocketAddrUnix) -> Result<(), Errno> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => {}
        Ok(_) => return Err(Errno::EXIST),
        Err(_) => return Ok(()),
    }
    match rustix::net::connect(socket::unix_socket()?, addr) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path).map_err(|error| errno(&error)),
        _ => Err(Errno::ADDRINUSE),
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
