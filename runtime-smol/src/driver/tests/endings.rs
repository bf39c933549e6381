//! How connections end, and how the driver does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::*;

/// A pair of a client and its accepted connection, over a Unix socket.
fn unix_pair(stage: &Stage) -> (UnixStream, ConnId, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s").to_str().unwrap().to_owned();
    stage.listen(ListenAt::Unix { path: path.clone(), owner: None });
    let client = UnixStream::connect(path).unwrap();
    let (conn, _) = stage.accepted();
    (client, conn, dir)
}

#[test]
fn a_hang_up_is_told_while_not_reading() {
    both_ways(|stage| {
        let mut client = TcpStream::connect(stage.listen_tcp()).unwrap();
        let (conn, _) = stage.accepted();
        client.write_all(b"bye").unwrap();
        stage.expect_silence();
        drop(client);
        assert_eq!(stage.next(), Input::HungUp { conn });
        // What came before is still there, and then the end, each once.
        stage.read(conn);
        assert_eq!(&stage.received(conn)[..], b"bye");
        stage.read(conn);
        assert_eq!(stage.next(), Input::Disconnected { conn, error: None });
        stage.read(conn);
        stage.write(conn, b"into the void");
        stage.expect_silence();
    });
}

#[test]
fn a_hang_up_behind_the_last_bytes_is_not_lost() {
    both_ways(|stage| {
        let (mut client, conn, _dir) = unix_pair(&stage);
        stage.read(conn);
        client.write_all(b"last words").unwrap();
        assert_eq!(&stage.received(conn)[..], b"last words");
        drop(client);
        assert_eq!(stage.next(), Input::HungUp { conn });
        stage.expect_silence();
    });
}

#[test]
fn an_end_of_file_is_told_to_a_reader() {
    both_ways(|stage| {
        let (client, conn, _dir) = unix_pair(&stage);
        stage.read(conn);
        drop(client);
        assert_eq!(stage.next(), Input::Disconnected { conn, error: None });
        stage.expect_silence();
    });
}

#[test]
fn a_failed_write_does_not_lose_what_was_sent_before() {
    both_ways(|stage| {
        let (mut client, conn, _dir) = unix_pair(&stage);
        client.write_all(b"last words").unwrap();
        drop(client);
        assert_eq!(stage.next(), Input::HungUp { conn });
        stage.order(vec![Order::Do(write(conn, b"too late")), Order::Do(read(conn))]);
        assert_eq!(&stage.received(conn)[..], b"last words");
        // Nobody reads on, so the failure is told at once.
        match stage.next() {
            Input::Disconnected { conn: ended, error: Some(error) } => {
                assert_eq!((ended, error.errno), (conn, 32));
            }
            other => panic!("{other:?}"),
        }
        stage.read(conn);
        stage.expect_silence();
    });
}

/// Closing with unread bytes would be a reset. (Over a Unix socket, where bytes arrive at once.)
#[test]
fn unread_bytes_do_not_cost_the_peer_our_last_answer() {
    both_ways(|stage| {
        let (mut client, conn, _dir) = unix_pair(&stage);
        client.write_all(b"never read").unwrap();
        stage.write(conn, b"go away");
        stage.expect_written(conn);
        stage.close(conn);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"go away");
    });
}

#[test]
fn a_reset_is_an_error() {
    both_ways(|stage| {
        let client = TcpStream::connect(stage.listen_tcp()).unwrap();
        let (conn, _) = stage.accepted();
        stage.write(conn, b"unread by the peer");
        stage.expect_written(conn);
        stage.read(conn);
        // Closing with unread bytes resets.
        let mut one = [0; 1];
        (&client).read_exact(&mut one).unwrap();
        drop(client);
        match stage.next() {
            Input::Disconnected { error: Some(error), .. } => assert_eq!(error.errno, 104),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_driver_ends_with_its_commands_and_closes_everything() {
    both_ways(|mut stage| {
        let (mut client, conn, dir) = unix_pair(&stage);
        stage.write(conn, b"the end");
        stage.end();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"the end");
        assert!(!dir.path().join("s").exists());
    });
}

#[test]
fn storage_and_launches_are_answered() {
    use cocaine_core::machine::{LaunchId, StoreId};
    both_ways(|stage| {
        let store = StoreId::new(1);
        let request = StoreRequest::Read { collection: "c".into(), key: "k".into() };
        stage.act(Output::Store { store, request });
        let value = StoreReply::Value(Bytes::from_static(b"k"));
        assert_eq!(stage.next(), Input::Stored { store, result: Ok(value) });

        let launch = LaunchId::new(1);
        let request = LaunchRequest::InPlace { app: "a".into(), directory: "/apps/a".into() };
        stage.act(Output::Launch { launch, request });
        match stage.next() {
            Input::Launched { launch: answered, result } => {
                assert_eq!((answered, result.unwrap().directory.as_str()), (launch, "/apps/a"));
            }
            other => panic!("{other:?}"),
        }
    });
}
