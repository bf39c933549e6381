//! Who is at the other end of a Unix socket.

use std::os::fd::AsFd;

use cocaine_core::machine::{Peer, PeerProcess};
use rustix::net::sockopt::socket_peercred;
use rustix::process::getpgid;

/// The process that connected a Unix socket, to be asked right after accepting. Nobody for other
/// sockets.
pub fn peer(socket: &impl AsFd) -> Peer {
    let process = socket_peercred(socket).ok().map(|credentials| PeerProcess {
        pid: credentials.pid.as_raw_nonzero().get().unsigned_abs(),
        uid: credentials.uid.as_raw(),
        pgid: getpgid(Some(credentials.pid)).ok().map(|group| group.as_raw_nonzero().get().unsigned_abs()),
    });
    Peer { process }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn we_are_our_own_peer() {
        let (one, _other) = UnixStream::pair().unwrap();
        let process = peer(&one).process.unwrap();
        assert_eq!((process.pid, process.uid), (std::process::id(), rustix::process::geteuid().as_raw()));
        let group = rustix::process::getpgrp().as_raw_nonzero().get();
        assert_eq!(process.pgid, Some(group.unsigned_abs()));
    }

    #[test]
    fn a_peer_over_tcp_is_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(peer(&stream).process, None);
    }
}
