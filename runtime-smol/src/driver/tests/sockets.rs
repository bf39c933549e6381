//! Listening, accepting, connecting, reading, writing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

#[test]
fn tcp_byte_by_byte() {
    both_ways(|stage| {
        let mut client = TcpStream::connect(stage.listen_tcp()).unwrap();
        let (conn, peer) = stage.accepted();
        assert_eq!(peer, Peer::default());
        echo_byte_by_byte(&stage, conn, &mut client);
    });
}

#[test]
fn unix_byte_by_byte() {
    both_ways(|stage| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s").to_str().unwrap().to_owned();
        let endpoint = stage.listen(ListenAt::Unix { path: path.clone(), owner: None });
        assert_eq!(endpoint, Endpoint::Unix(path.clone()));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut client = UnixStream::connect(&path).unwrap();
        let (conn, peer) = stage.accepted();
        let process = peer.process.unwrap();
        assert_eq!(process.pid, std::process::id());
        assert_eq!(process.uid, rustix::process::getuid().as_raw());
        let group = rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned();
        assert_eq!(process.pgid, Some(group));
        echo_byte_by_byte(&stage, conn, &mut client);
    });
}

fn echo_byte_by_byte(stage: &Stage, conn: ConnId, client: &mut (impl Read + Write)) {
    for byte in 0..100 {
        stage.read(conn);
        client.write_all(&[byte]).unwrap();
        assert_eq!(&stage.received(conn)[..], [byte]);
        stage.write(conn, &[byte, byte]);
        stage.expect_written(conn);
        let mut answer = [0; 2];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [byte, byte]);
    }
}

#[test]
fn what_comes_is_appended() {
    let stage = Stage::spread();
    let mut client = TcpStream::connect(stage.listen_tcp()).unwrap();
    let (conn, _) = stage.accepted();
    client.write_all(b"lo").unwrap();
    stage.act(Output::Read { conn, buf: BytesMut::from(&b"hel"[..]) });
    assert_eq!(&stage.received(conn)[..], b"hello");
}

/// 16 MiB there and back through a puppet that writes all it reads, to a peer that is slow to read.
#[test]
fn sixteen_mebibytes_both_ways() {
    both_ways(|stage| {
        const LEN: usize = 16 << 20;
        let client = TcpStream::connect(stage.listen_tcp()).unwrap();
        let (conn, _) = stage.accepted();
        let sender = client.try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            let data: Vec<u8> = (0..LEN).map(pattern).collect();
            (&sender).write_all(&data).unwrap();
            sender.shutdown(Shutdown::Write).unwrap();
        });
        stage.read(conn);
        let mut all = Vec::new();
        loop {
            match stage.next() {
                Input::Received { buf, .. } => {
                    assert!(buf.len() <= 64 * 1024);
                    all.extend_from_slice(&buf);
                    stage.read(conn);
                }
                Input::HungUp { .. } => {}
                Input::Disconnected { error: None, .. } => break,
                other => panic!("{other:?}"),
            }
        }
        sending.join().unwrap();
        assert_eq!(all.len(), LEN);
        assert!(all.iter().enumerate().all(|(at, byte)| *byte == pattern(at)));
        stage.close(conn);
        write_back(&stage, &all);
    });
}

fn write_back(stage: &Stage, all: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let conn = ConnId::dialed(0, 0);
    stage.act(Output::Connect { conn, endpoint: Endpoint::Tcp(listener.local_addr().unwrap()) });
    assert_eq!(stage.next(), Input::Connected { conn });
    let mut batch = Batch::new();
    for (index, piece) in all.chunks(10_000).enumerate() {
        if index % 3 == 0 {
            batch.push_copy(piece);
        } else {
            batch.push_shared(Bytes::copy_from_slice(piece));
        }
    }
    stage.act(Output::Write { conn, batch });
    let mut peer = listener.accept().unwrap().0;
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = vec![0; all.len()];
    peer.read_exact(&mut got).unwrap();
    assert!(got == all);
    stage.expect_written(conn);
}

const fn pattern(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

#[test]
fn a_peer_that_reads_nothing_holds_up_nobody_else() {
    both_ways(|stage| {
        let addr = stage.listen_tcp();
        let lazy = TcpStream::connect(addr).unwrap();
        let (stuck, _) = stage.accepted();
        stage.write(stuck, &vec![7; 32 << 20]);
        let mut client = TcpStream::connect(addr).unwrap();
        let (conn, _) = stage.accepted();
        echo_byte_by_byte(&stage, conn, &mut client);
        stage.expect_silence();
        // The stuck one can still be closed, and then takes nothing more.
        stage.close(stuck);
        let mut left = Vec::new();
        let _ = (&lazy).read_to_end(&mut left);
        assert!(left.len() < 32 << 20);
    });
}

#[test]
fn connecting_to_nobody_fails() {
    both_ways(|stage| {
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let conn = ConnId::dialed(0, 0);
        stage.act(Output::Connect { conn, endpoint: Endpoint::Tcp(addr) });
        match stage.next() {
            Input::ConnectFailed { conn: failed, error } => {
                assert_eq!((failed, error.errno), (conn, 111));
                assert!(error.text.contains(&addr.to_string()), "{error}");
            }
            other => panic!("{other:?}"),
        }
        let next = ConnId::dialed(0, 1);
        stage.act(Output::Connect { conn: next, endpoint: Endpoint::Unix("/nowhere/socket".into()) });
        match stage.next() {
            Input::ConnectFailed { conn: failed, error } => assert_eq!((failed, error.errno), (next, 2)),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_busy_unix_listener_is_dialed_again() {
    both_ways(|stage| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        // A queue of one, which two waiting connections fill.
        let socket =
            rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None)
                .unwrap();
        rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = UnixListener::from(socket);
        let ids: Vec<ConnId> = (0..3).map(|slot| ConnId::dialed(slot, 0)).collect();
        let endpoint = Endpoint::Unix(path.to_str().unwrap().into());
        for conn in &ids {
            stage.act(Output::Connect { conn: *conn, endpoint: endpoint.clone() });
        }
        let mut connected = Vec::new();
        let mut peers = Vec::new();
        while connected.len() < ids.len() {
            peers.push(listener.accept().unwrap());
            match stage.next() {
                Input::Connected { conn } => connected.push(conn),
                other => panic!("{other:?}"),
            }
        }
        connected.sort();
        assert_eq!(connected, ids);
    });
}

#[test]
fn a_place_that_is_taken_is_said_so() {
    both_ways(|stage| {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = other.local_addr().unwrap();
        stage.act(Output::Listen { listener: ListenerId::new(5), at: ListenAt::Tcp(addr) });
        match stage.next() {
            Input::ListenFailed { listener, error } => {
                assert_eq!((listener, error.errno), (ListenerId::new(5), 98));
                assert!(error.text.contains(&addr.to_string()), "{error}");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn only_a_stale_socket_file_is_removed() {
    let stage = Stage::spread();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    drop(UnixListener::bind(path("stale")).unwrap());
    let _living = UnixListener::bind(path("living")).unwrap();
    std::fs::write(path("file"), "precious").unwrap();

    for (number, (name, errno)) in (2..).zip([("living", 98), ("file", 17), ("no/dir", 2)]) {
        let (listener, at) = (ListenerId::new(number), ListenAt::Unix { path: path(name), owner: None });
        stage.act(Output::Listen { listener, at });
        match stage.next() {
            Input::ListenFailed { error, .. } => assert_eq!(error.errno, errno, "{error}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(std::fs::read(path("file")).unwrap(), b"precious");
    assert!(UnixStream::connect(path("living")).is_ok());

    stage.listen(ListenAt::Unix { path: path("stale"), owner: None });
    assert!(UnixStream::connect(path("stale")).is_ok());
    let (conn, _) = stage.accepted();
    stage.act(Output::Unlisten { listener: ListenerId::new(1) });
    // The accepted connection lives on; the file is gone.
    assert_eq!(stage.next(), Input::HungUp { conn });
    stage.expect_silence();
    assert!(!dir.path().join("stale").exists());
}

#[test]
fn places_are_used_again_with_new_generations() {
    let stage = Stage::spread();
    let addr = stage.listen_tcp();
    let first = TcpStream::connect(addr).unwrap();
    let (one, _) = stage.accepted();
    let _second = TcpStream::connect(addr).unwrap();
    let (two, _) = stage.accepted();
    assert_eq!((one, two), (ConnId::accepted(0, 0), ConnId::accepted(1, 0)));
    stage.close(one);
    assert_eq!((&first).read(&mut [0; 1]).unwrap(), 0);
    let mut third = TcpStream::connect(addr).unwrap();
    let (three, _) = stage.accepted();
    assert_eq!(three, ConnId::accepted(0, 1));
    // Outputs for the old name concern nobody.
    stage.write(one, b"old");
    stage.write(three, b"new");
    stage.expect_written(three);
    let mut got = [0; 3];
    third.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"new");
}
