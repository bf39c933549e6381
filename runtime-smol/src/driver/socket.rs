//! System calls on sockets, none of which blocks.

use std::fmt::Display;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use bytes::BytesMut;
use cocaine_core::machine::{Batch, Endpoint, IoError};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    sockopt,
};

/// The most that one read brings, in bytes.
pub(super) const READ_SIZE: usize = 64 * 1024;
/// How many slices of a batch go into one call.
const SLICES: usize = 64;

/// When a silent TCP peer is asked whether it is still there, how often again, and how many times.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 6;

/// Puts a sentence before an operating system's error.
pub(super) fn io_error(what: impl Display, errno: Errno) -> IoError {
    let number = errno.raw_os_error();
    IoError { errno: number, text: format!("{what}: {}", std::io::Error::from_raw_os_error(number)) }
}

/// What one read gave.
pub(super) enum Received {
    /// Some bytes; whether there may be more.
    Some { more: bool },
    /// Nothing now.
    Nothing,
    /// End of file, or an error.
    End(Option<Errno>),
}

/// Reads once. What comes is copied, so that a connection without traffic needs no buffer.
pub(super) fn receive(fd: impl AsFd, scratch: &mut [u8], buf: &mut BytesMut) -> Received {
    loop {
        return match rustix::net::recv(&fd, &mut *scratch, RecvFlags::empty()) {
            Ok((0, _)) => Received::End(None),
            Ok((count, _)) => {
                buf.extend_from_slice(scratch.get(..count).unwrap_or_default());
                // Less than there was room for: the socket is empty. Asking again would cost a call.
                Received::Some { more: count == scratch.len() }
            }
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Received::Nothing,
            Err(error) => Received::End(Some(error)),
        };
    }
}

/// What writing gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Everything was taken.
    All,
    /// The socket is full.
    Full,
    /// It broke.
    Broken(Errno),
}

/// Writes as much as the socket takes.
pub(super) fn send(fd: impl AsFd, batch: &mut Batch) -> Sent {
    while !batch.is_empty() {
        let (offered, result) = send_once(&fd, batch);
        match result {
            Ok(count) => {
                batch.advance(count);
                if count < offered {
                    return Sent::Full;
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Sent::Full,
            Err(error) => return Sent::Broken(error),
        }
    }
    Sent::All
}

fn send_once(fd: impl AsFd, batch: &Batch) -> (usize, Result<usize, Errno>) {
    let mut pieces = batch.slices().filter(|slice| !slice.is_empty());
    let first = pieces.next().unwrap_or_default();
    let Some(second) = pieces.next() else {
        return (first.len(), rustix::net::send(fd, first, SendFlags::NOSIGNAL));
    };
    let mut slices = [IoSlice::new(&[]); SLICES];
    let (mut used, mut offered) = (0, 0);
    for (place, piece) in slices.iter_mut().zip([first, second].into_iter().chain(pieces)) {
        *place = IoSlice::new(piece);
        offered += piece.len();
        used += 1;
    }
    let slices = slices.get(..used).unwrap_or_default();
    (offered, rustix::net::sendmsg(fd, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL))
}

/// Reads away what nobody wants any more. Closing a TCP socket with unread bytes would reset the
/// connection, and the peer could lose our last answer.
pub(super) fn discard(fd: impl AsFd, scratch: &mut [u8]) {
    const ROUNDS: usize = 4;
    for _ in 0..ROUNDS {
        match rustix::net::recv(&fd, &mut *scratch, RecvFlags::empty()) {
            Ok((count, _)) if count == scratch.len() => {}
            _ => return,
        }
    }
}

pub(super) fn tcp_socket(addr: &SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = stream_socket(family)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    sockopt::set_socket_keepalive(&fd, true)?;
    sockopt::set_tcp_keepidle(&fd, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&fd, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&fd, KEEPALIVE_COUNT)?;
    Ok(fd)
}

pub(super) fn unix_socket() -> Result<OwnedFd, Errno> {
    stream_socket(AddressFamily::UNIX)
}

fn stream_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

/// How an attempt to connect stands.
pub(super) enum Dialed {
    Connected,
    /// It goes on; the socket becomes writable when it is decided.
    Waiting,
    /// The listener's queue is full: try again later.
    Busy,
}

/// Makes a socket for an endpoint.
pub(super) fn dialing_socket(endpoint: &Endpoint) -> Result<OwnedFd, Errno> {
    match endpoint {
        Endpoint::Tcp(addr) => tcp_socket(addr),
        Endpoint::Unix(_) => unix_socket(),
    }
}

/// Starts, or starts again, to connect.
pub(super) fn dial(fd: impl AsFd, endpoint: &Endpoint) -> Result<Dialed, Errno> {
    let result = match endpoint {
        Endpoint::Tcp(addr) => rustix::net::connect(fd, addr),
        Endpoint::Unix(path) => rustix::net::connect(fd, &SocketAddrUnix::new(path.as_str())?),
    };
    match result {
        Ok(()) => Ok(Dialed::Connected),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Dialed::Waiting),
        Err(Errno::AGAIN) => Ok(Dialed::Busy),
        Err(error) => Err(error),
    }
}

/// What came of connecting, once the socket is writable.
pub(super) fn dial_result(fd: impl AsFd) -> Result<Dialed, Errno> {
    sockopt::socket_error(&fd)??;
    if rustix::net::getpeername(&fd) == Err(Errno::NOTCONN) {
        return Ok(Dialed::Waiting);
    }
    if connected_to_itself(&fd) {
        return Err(Errno::CONNREFUSED);
    }
    Ok(Dialed::Connected)
}

/// TCP connects a socket with itself if nobody listens on the port that the kernel happened to give
/// to this very socket.
fn connected_to_itself(fd: impl AsFd) -> bool {
    let own = rustix::net::getsockname(&fd).ok().and_then(|addr| SocketAddr::try_from(addr).ok());
    let peer = rustix::net::getpeername(&fd).ok().flatten().and_then(|addr| SocketAddr::try_from(addr).ok());
    own.is_some() && own == peer
}
