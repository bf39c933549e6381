//! Handles against a locator and an app that are a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use cocaine_core::wire::{codes, protocols, v1};
use smol::future::zip;

use super::*;

/// Serves on a free port: first as a locator that finds every service here, but for `nobody`, and then as an app
/// on every further connection. Returns its address.
fn node() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            std::thread::spawn(move || converse(socket, address.port()));
        }
    });
    Endpoint::Tcp(address)
}

/// Answers the frames of one connection.
fn converse(mut socket: TcpStream, port: u16) {
    let (mut unread, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let mut reply = Vec::new();
        while let Ok((frame, rest)) = Value::decode(&unread) {
            answer(&frame, port, &mut reply);
            unread = rest.to_vec();
        }
        if socket.write_all(&reply).is_err() {
            return;
        }
        match socket.read(&mut buf) {
            Ok(0) | Err(_) => return,
            Ok(count) => unread.extend_from_slice(&buf[..count]),
        }
    }
}

/// A locator for text that begins with a small letter; an echo for everything else.
fn answer(frame: &Value, port: u16, out: &mut Vec<u8>) {
    let [channel, message, args, ..] = frame.as_array().unwrap() else { panic!("{frame}") };
    let (channel, args) = (channel.as_u64().unwrap(), args.as_array().unwrap());
    match (message.as_u64().unwrap(), args.first().and_then(Value::as_str)) {
        (0, Some("nobody")) => v1::error(out, channel, &Failure::from(codes::SERVICE_NOT_AVAILABLE)),
        (0, Some("app")) => v1::value(out, channel, 3, |out| {
            Value::array([Value::array([Value::from("127.0.0.1"), Value::from(u64::from(port))])])
                .encode(out);
            encode::uint(out, 1);
            protocols::APP.encode(out);
        }),
        // An event: its answer begins with the first chunk.
        (0, Some("Echo")) => {}
        (0, _) => v1::write(out, channel, args[0].as_bytes().unwrap()),
        (1, None) => v1::value(out, channel, 1, |out| Value::map([("state", "running")]).encode(out)),
        (1, Some(_)) => v1::error(out, channel, &Failure::new(codes::UNCAUGHT, "failed as told")),
        (2, None) => v1::close(out, channel),
        other => panic!("{other:?}"),
    }
}

fn app(at: &Endpoint) -> App {
    App(Service::connect(vec![at.clone()], "app"))
}

#[test]
fn a_call_streams_both_ways_and_ends() {
    smol::block_on(async {
        let call = app(&node()).enqueue("Echo");
        call.send("Hello").await.unwrap();
        assert_eq!(call.recv().await.unwrap().unwrap(), "Hello");
        call.send("Again").await.unwrap();
        call.close();
        assert_eq!(call.recv().await.unwrap().unwrap(), "Again");
        assert_eq!(call.recv().await, Ok(None));
        assert_eq!(call.recv().await, Ok(None), "the end stays the end");
    });
}

#[test]
fn many_calls_share_a_connection_and_a_large_one_waits_for_its_window() {
    smol::block_on(async {
        let app = app(&node());
        let big = app.enqueue("Echo");
        let payload = Bytes::from(vec![7; 3 << 20]);
        let send = async {
            for _ in 0..4 {
                big.send(payload.clone()).await.unwrap();
            }
            big.close();
        };
        let receive = async {
            let mut size = 0;
            while let Some(chunk) = big.recv().await.unwrap() {
                size += chunk.len();
            }
            size
        };
        let small = async {
            for _ in 0..100 {
                let call = app.enqueue("Echo");
                call.send("X").await.unwrap();
                assert_eq!(call.recv().await.unwrap().unwrap(), "X");
            }
        };
        let (((), size), ()) = zip(zip(send, receive), small).await;
        assert_eq!(size, 12 << 20);
    });
}

#[test]
fn values_errors_and_missing_services_are_told_apart() {
    smol::block_on(async {
        let at = node();
        let app = app(&at);
        assert_eq!(app.info().await.unwrap().get("state").and_then(Value::as_str), Some("running"));
        let call = app.enqueue("Echo");
        call.fail(Failure::new(codes::INVALID_ARGUMENT, "no"));
        // The script cannot tell an error from `info`, whose arguments are none: it answers in kind.
        assert!(call.recv().await.is_err());
        let call = Service::connect(vec![at.clone()], "nobody").call("enqueue", &["Echo".into()]);
        match call.recv().await {
            Err(error @ Error::Client(CallError::Unresolved { .. })) => {
                assert_eq!(error.advice(), Advice::Retry);
            }
            other => panic!("{other:?}"),
        }
        let none = app.0.call("nothing", &[]).value().await.unwrap_err();
        assert_eq!(none.advice(), Advice::Fix, "{none}");
        let call = app.enqueue("Echo");
        call.close();
        let refused = call.send("X").await;
        let later = call.send("X").await;
        assert!(refused.is_ok() && (later.is_ok() || matches!(later, Err(Error::Refused(_)))));
    });
}

#[test]
fn a_locator_is_a_service_too() {
    smol::block_on(async {
        let at = node();
        let locator = Locator(Service::locator(vec![at.clone()]));
        let found = locator.resolve("app").await.unwrap();
        assert_eq!((found.addresses(), found.version), (vec![at], 1));
        assert!(found.methods.method("enqueue").is_some());
        let failure = locator.resolve("nobody").await.unwrap_err();
        assert_eq!(failure, Error::Service(Failure::from(codes::SERVICE_NOT_AVAILABLE)));
    });
}

#[test]
fn nobody_there_is_an_error_and_a_deadline_ends_the_waiting() {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let free = Endpoint::Tcp(listener.local_addr().unwrap());
        let args = encode_args(&["x".into()]);
        let deadline = Deadline::Within(std::time::Duration::from_millis(20));
        let call = Service::locator(vec![free.clone()]).call_with("resolve", args, Vec::new(), deadline);
        assert!(matches!(call.recv().await, Err(Error::Client(CallError::TimedOut { .. }))));
        drop(listener);
        let error = Locator(Service::locator(vec![free])).uuid().await.unwrap_err();
        assert!(matches!(error, Error::Client(CallError::Unreachable { .. })), "{error}");
    });
}

#[test]
fn without_its_driver_every_call_fails_and_none_hangs() {
    let target = Target::named("app", vec![node()]);
    let (service, driver) = Service::open(ClientConfig::new(target, [0; 32]));
    let before = service.call("enqueue", &["Echo".into()]);
    drop(driver);
    let after = service.call("enqueue", &["Echo".into()]);
    smol::block_on(async {
        for call in [before, after] {
            assert!(matches!(call.recv().await, Err(Error::Client(CallError::Disconnected { .. }))));
        }
    });
}
