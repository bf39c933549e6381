//! A client on the published Rust framework, run by the suite against its node and its app `py`.
//!
//! Usage: `interop-rust-client HOST:PORT`, the address of the locator. One line a case, exit code 1 if
//! one failed. This client differs from the Python one on the wire: strings of 32 to 255 bytes are
//! str8, headers are of the bin family, resolves share one connection, a dropped sender is a close.

extern crate cocaine;
extern crate futures;
extern crate tokio_core;

use std::env;
use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use futures::future::{self, Either};
use futures::sync::mpsc;
use futures::{Future, Stream};
use tokio_core::reactor::{Core, Handle, Timeout};

use cocaine::dispatch::{PrimitiveDispatch, StreamingDispatch};
use cocaine::hpack::{Header, ParentId, RawHeader, SpanId, TraceId};
use cocaine::service::{App, Locator};
use cocaine::{Error, FixedResolver, Request, Service, ServiceBuilder};

type Outcome = Result<(), String>;

fn main() {
    let locator = env::args().nth(1).and_then(|address| address.parse().ok());
    let locator: SocketAddr = match locator {
        Some(address) => address,
        None => {
            eprintln!("usage: interop-rust-client HOST:PORT");
            process::exit(2);
        }
    };
    let cases: [(&str, fn(&mut Client) -> Outcome); 9] = [
        ("resolve", resolve),
        ("resolve_unknown", resolve_unknown),
        ("ping", ping),
        ("stream_of_every_length", stream_of_every_length),
        ("error_from_the_handler", error_from_the_handler),
        ("headers_reach_the_worker", headers_reach_the_worker),
        ("trace_reaches_the_worker", trace_reaches_the_worker),
        ("storage_with_long_names", storage_with_long_names),
        ("routing_gives_a_map_at_once", routing_gives_a_map_at_once),
    ];
    let mut failed = 0;
    for &(name, case) in cases.iter() {
        let outcome = case(&mut Client::new(locator));
        println!("{} {}", if outcome.is_ok() { "ok  " } else { "FAIL" }, name);
        if let Err(reason) = outcome {
            println!("     | {}", reason);
            failed += 1;
        }
    }
    process::exit(if failed == 0 { 0 } else { 1 });
}

/// One event loop, and services that are found by one locator.
struct Client {
    core: Core,
    handle: Handle,
    locator: SocketAddr,
}

impl Client {
    fn new(locator: SocketAddr) -> Client {
        let core = Core::new().expect("an event loop");
        let handle = core.handle();
        Client { core: core, handle: handle, locator: locator }
    }

    fn service(&self, name: &'static str) -> Service {
        ServiceBuilder::new(name).locator_addrs(vec![self.locator]).build(&self.handle)
    }

    fn app(&self) -> App {
        App::new(self.service("py"))
    }

    fn locator(&self) -> Locator {
        let builder = ServiceBuilder::new("locator").resolver(FixedResolver::new(vec![self.locator]));
        Locator::new(builder.build(&self.handle))
    }

    /// What became of the future, within ten seconds.
    fn run<F: Future<Error = Error>>(&mut self, future: F) -> Result<F::Item, Error> {
        let patience = Timeout::new(Duration::from_secs(10), &self.handle).expect("a timer");
        match self.core.run(future.select2(patience)) {
            Ok(Either::A((item, _))) => Ok(item),
            Err(Either::A((error, _))) => Err(error),
            Ok(Either::B(_)) | Err(Either::B(_)) => Err(Error::InvalidDataFraming("no reply in 10 s".into())),
        }
    }

    /// Sends chunks to an event of the app, and collects the replies.
    fn call(&mut self, event: &str, chunks: &[String]) -> Result<Vec<String>, Error> {
        let app = self.app();
        let (sender, replies) = self.run(app.enqueue(event))?;
        for chunk in chunks {
            sender.write(chunk);
        }
        sender.close();
        self.collect(replies)
    }

    fn collect(
        &mut self,
        replies: mpsc::UnboundedReceiver<Result<String, Error>>,
    ) -> Result<Vec<String>, Error> {
        let replies = replies.map_err(|()| Error::Canceled).and_then(future::result);
        self.run(replies.collect())
    }

    /// One chunk of the event `headers`, invoked with these.
    fn headers_seen(&mut self, headers: Vec<RawHeader>) -> Result<String, Error> {
        let service = self.service("py");
        let (tx, replies) = mpsc::unbounded();
        let request = Request::new(0, &["headers"]).expect("a request").add_headers(headers);
        let sender = self.run(service.call(request, StreamingDispatch::new(tx)))?;
        self.run(sender.send(Request::new(2, &[0; 0]).expect("a request")))?;
        self.collect(replies).map(|replies| replies.concat())
    }
}

fn resolve(client: &mut Client) -> Outcome {
    let locator = client.locator();
    let info = client.run(locator.resolve("storage")).map_err(shown)?;
    check(!info.addrs().is_empty() && info.addrs().iter().all(|address| address.port() > 0), &info)
}

fn resolve_unknown(client: &mut Client) -> Outcome {
    let locator = client.locator();
    let outcome = client.run(locator.resolve("no-such-service")).map(|_| ());
    refused(outcome, 10, 1)
}

fn ping(client: &mut Client) -> Outcome {
    let replies = client.call("ping", &["hello".to_owned()]).map_err(shown)?;
    check(replies == ["hello"], &replies)
}

/// Up to and above each length at which this client's strings get another head.
fn stream_of_every_length(client: &mut Client) -> Outcome {
    let sizes = [0, 1, 31, 32, 33, 255, 256, 65535, 65536, 1 << 20];
    let sent: Vec<String> = sizes.iter().map(|size| "r".repeat(*size)).collect();
    let replies = client.call("echo_all", &sent).map_err(shown)?;
    let seen: Vec<usize> = replies.iter().map(String::len).collect();
    check(seen == sizes, &seen)
}

fn error_from_the_handler(client: &mut Client) -> Outcome {
    let outcome = client.call("fail", &["x".to_owned()]).map(|_| ());
    refused(outcome, 42, 77)
}

fn headers_reach_the_worker(client: &mut Client) -> Outcome {
    let sent = RawHeader::new("tint".as_bytes(), "blue".as_bytes());
    let seen = client.headers_seen(vec![sent]).map_err(shown)?;
    check(seen.contains(r#""tint": "626c7565""#), &seen)
}

fn trace_reaches_the_worker(client: &mut Client) -> Outcome {
    let sent = vec![TraceId(0x1122_3344).into_raw(), SpanId(2).into_raw(), ParentId(3).into_raw()];
    let seen = client.headers_seen(sent).map_err(shown)?;
    let all =
        [r#""trace_id": "4433221100000000""#, r#""span_id": "0200000000000000""#, r#""parent_id": "03"#];
    check(all.iter().all(|one| seen.contains(one)), &seen)
}

/// Its own wrapper of `write` calls every empty reply an error, though the call was carried out; so
/// this looks at what can be read afterwards.
fn storage_with_long_names(client: &mut Client) -> Outcome {
    let service = client.service("storage");
    let (key, tag, value) = ("k".repeat(100), "t".repeat(40), "v".repeat(200));
    let (dispatch, reply) = PrimitiveDispatch::<()>::pair();
    let write =
        Request::new(1, &("interop", key.as_str(), value.as_str(), vec![tag.as_str()])).expect("a request");
    client.run(service.call(write, dispatch)).map_err(shown)?;
    let _ = client.run(reply);

    let (dispatch, reply) = PrimitiveDispatch::<String>::pair();
    let read = Request::new(0, &("interop", key.as_str())).expect("a request");
    client.run(service.call(read, dispatch)).map_err(shown)?;
    let seen = client.run(reply).map_err(shown)?;
    check(seen == value, &seen)?;

    let (dispatch, reply) = PrimitiveDispatch::<Vec<String>>::pair();
    let find = Request::new(3, &("interop", vec![tag.as_str()])).expect("a request");
    client.run(service.call(find, dispatch)).map_err(shown)?;
    let seen = client.run(reply).map_err(shown)?;
    check(seen == [key], &seen)
}

fn routing_gives_a_map_at_once(client: &mut Client) -> Outcome {
    let locator = client.locator();
    let first = locator.routing("interop-rust").into_future();
    let first = first.map_err(|(error, _)| error).map(|(first, _)| first);
    let first = client.run(first).map_err(shown)?;
    check(first.is_some(), &"the stream ended")
}

fn refused(outcome: Result<(), Error>, category: i64, code: i64) -> Outcome {
    match outcome {
        Err(Error::Service(ref error)) if (error.category(), error.code()) == (category, code) => Ok(()),
        other => Err(format!("{:?}; want the error {},{}", other, category, code)),
    }
}

fn check<T: std::fmt::Debug>(right: bool, seen: &T) -> Outcome {
    if right {
        Ok(())
    } else {
        Err(format!("{:?}", seen))
    }
}

fn shown(error: Error) -> String {
    format!("{:?}", error)
}
