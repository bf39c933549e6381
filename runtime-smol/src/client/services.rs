//! The services of a node, with their methods.

use bytes::Bytes;
use cocaine_core::client::Deadline;
use cocaine_core::machine::Endpoint;
use cocaine_core::wire::{Args, ArgsError, Graph, Header, Value};

use super::{Call, Error, Service, encode_args};

/// An app's service.
#[derive(Clone)]
pub struct App(pub Service);

/// The service `node`: the apps of a node.
#[derive(Clone)]
pub struct Node(pub Service);

/// The service `storage`: values by collection and key.
#[derive(Clone)]
pub struct Storage(pub Service);

/// The service `locator`: names to services.
#[derive(Clone)]
pub struct Locator(pub Service);

impl App {
    /// Invokes an event; chunks go both ways on the call.
    #[must_use]
    pub fn enqueue(&self, event: &str) -> Call {
        self.enqueue_with(event, Vec::new(), Deadline::Never)
    }

    /// Invokes an event with headers and a deadline.
    #[must_use]
    pub fn enqueue_with(&self, event: &str, headers: Vec<Header>, deadline: Deadline) -> Call {
        self.0.call_with("enqueue", encode_args(&[event.into()]), headers, deadline)
    }

    /// What the app reports about itself.
    ///
    /// # Errors
    /// The call failed, or the answer is none of this method.
    pub async fn info(&self) -> Result<Value, Error> {
        let reply = self.0.call("info", &[]).value().await?;
        read(&reply, Args::value)
    }
}

impl Node {
    /// Starts an app with a profile; returns when it runs.
    ///
    /// # Errors
    /// The call failed: among others, the app runs already (`[20991, 5]`).
    pub async fn start_app(&self, app: &str, profile: &str) -> Result<(), Error> {
        self.0.call("start_app", &[app.into(), profile.into()]).value().await.map(drop)
    }

    /// Stops an app; returns when its last worker is gone.
    ///
    /// # Errors
    /// The call failed: among others, there is no such app (`[20991, 6]`).
    pub async fn pause_app(&self, app: &str) -> Result<(), Error> {
        self.0.call("pause_app", &[app.into()]).value().await.map(drop)
    }

    /// The names of the apps.
    ///
    /// # Errors
    /// The call failed, or the answer is none of this method.
    pub async fn list(&self) -> Result<Vec<String>, Error> {
        let reply = self.0.call("list", &[]).value().await?;
        read(&reply, texts)
    }

    /// What an app reports. Flags: 1 the report, 2 the manifest, 4 the profile's content.
    ///
    /// # Errors
    /// The call failed, or the answer is none of this method.
    pub async fn info(&self, app: &str, flags: u64) -> Result<Value, Error> {
        let reply = self.0.call("info", &[app.into(), flags.into()]).value().await?;
        read(&reply, Args::value)
    }
}

impl Storage {
    /// Reads a value.
    ///
    /// # Errors
    /// The call failed: among others, there is no such key (`[12, 2]`).
    pub async fn read(&self, collection: &str, key: &str) -> Result<Bytes, Error> {
        let reply = self.0.call("read", &[collection.into(), key.into()]).value().await?;
        read(&reply, |args| args.raw().map(Bytes::copy_from_slice))
    }

    /// Writes a value and its tags.
    ///
    /// # Errors
    /// The call failed.
    pub async fn write(&self, collection: &str, key: &str, value: Bytes, tags: &[&str]) -> Result<(), Error> {
        let tags = Value::array(tags.iter().copied());
        self.0.call("write", &[collection.into(), key.into(), value.into(), tags]).value().await.map(drop)
    }

    /// Removes a value. What is not there is removed already.
    ///
    /// # Errors
    /// The call failed.
    pub async fn remove(&self, collection: &str, key: &str) -> Result<(), Error> {
        self.0.call("remove", &[collection.into(), key.into()]).value().await.map(drop)
    }

    /// The keys that carry all of these tags.
    ///
    /// # Errors
    /// The call failed, or the answer is none of this method.
    pub async fn find(&self, collection: &str, tags: &[&str]) -> Result<Vec<String>, Error> {
        let tags = Value::array(tags.iter().copied());
        let reply = self.0.call("find", &[collection.into(), tags]).value().await?;
        read(&reply, texts)
    }
}

/// Where a service is and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its addresses, host and port, best first.
    pub endpoints: Vec<(String, u16)>,
    /// The version of its protocol.
    pub version: u64,
    /// Its methods.
    pub methods: Graph,
}

impl Resolved {
    /// The addresses to connect to; what is no numeric address is left out.
    #[must_use]
    pub fn addresses(&self) -> Vec<Endpoint> {
        let numeric = |(host, port): &(String, u16)| {
            Some(Endpoint::Tcp((host.parse::<std::net::IpAddr>().ok()?, *port).into()))
        };
        self.endpoints.iter().filter_map(numeric).collect()
    }
}

impl Locator {
    /// Where a service is.
    ///
    /// # Errors
    /// The call failed: among others, there is no such service (`[10, 1]`).
    pub async fn resolve(&self, name: &str) -> Result<Resolved, Error> {
        let reply = self.0.call("resolve", &[name.into()]).value().await?;
        read(&reply, |args| {
            let mut list = args.array()?;
            let mut endpoints = Vec::new();
            while !list.is_empty() {
                let mut pair = list.array()?;
                endpoints.push((pair.text()?.into(), u16::try_from(pair.uint()?).unwrap_or(0)));
            }
            Ok(Resolved { endpoints, version: args.uint()?, methods: Graph::decode(args.slice()?)? })
        })
    }

    /// The node's uuid.
    ///
    /// # Errors
    /// The call failed, or the answer is none of this method.
    pub async fn uuid(&self) -> Result<String, Error> {
        let reply = self.0.call("uuid", &[]).value().await?;
        read(&reply, |args| args.text().map(Into::into))
    }

    /// The nodes of the cluster.
    ///
    /// # Errors
    /// The call failed, or the answer is none of this method.
    pub async fn cluster(&self) -> Result<Value, Error> {
        let reply = self.0.call("cluster", &[]).value().await?;
        read(&reply, Args::value)
    }

    /// Has routing groups read anew.
    ///
    /// # Errors
    /// The call failed.
    pub async fn refresh(&self, groups: &[&str]) -> Result<(), Error> {
        self.0.call("refresh", &[Value::array(groups.iter().copied())]).value().await.map(drop)
    }
}

fn read<'a, T>(
    reply: &'a [u8],
    parse: impl FnOnce(&mut Args<'a>) -> Result<T, ArgsError>,
) -> Result<T, Error> {
    let result = Args::new(reply).and_then(|mut args| parse(&mut args));
    result.map_err(|error| Error::Unexpected(format!("the answer is not what the method promises: {error}")))
}

fn texts(args: &mut Args<'_>) -> Result<Vec<String>, ArgsError> {
    let mut list = args.array()?;
    let mut texts = Vec::with_capacity(list.len());
    while !list.is_empty() {
        texts.push(list.text()?.into());
    }
    Ok(texts)
}
