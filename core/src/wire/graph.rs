//! Method trees: what a service can be called with, and what may follow on the channel in either direction.
//!
//! A tree is a map `{id: [name, next]}`. `next` is nil when the state stays the same, and a map for the next state; the
//! empty map ends that direction. At the root a method has two of them: from the client, and to the client.
//!
//! A service describes itself with a [`Protocol`], which is constant; a client decodes what it gets into a [`Graph`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::args::{Args, ArgsError};
use super::encode;
use super::limits::MAX_DEPTH;
use super::token::{Reader, Token};

/// A service's methods, by ascending id.
#[derive(Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The service's usual name.
    pub name: &'static str,
    /// Clients compare it with what they were written for.
    pub version: u32,
    /// The methods.
    pub methods: &'static [Method],
}

/// One method.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// Its message type.
    pub id: u32,
    /// Its name.
    pub name: &'static str,
    /// What the client may send after the call.
    pub dispatch: Tree,
    /// What the client may receive.
    pub upstream: Tree,
}

/// The messages of one direction in one state, by ascending id. Without any, that direction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree(pub &'static [Transition]);

/// One message and what comes after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its message type.
    pub id: u32,
    /// Its name.
    pub name: &'static str,
    /// The state after it.
    pub next: Next,
}

/// The state after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same again.
    Stay,
    /// Another one.
    Enter(Tree),
}

impl Tree {
    /// Nothing may be sent.
    pub const END: Self = Self(&[]);

    /// One result, or a failure.
    pub const VALUE: Self = Self(&[
        Transition { id: 0, name: "value", next: Next::Enter(Self::END) },
        Transition { id: 1, name: "error", next: Next::Enter(Self::END) },
    ]);

    /// Any number of pieces, then the end or a failure.
    pub const STREAM: Self = Self(&[
        Transition { id: 0, name: "write", next: Next::Stay },
        Transition { id: 1, name: "error", next: Next::Enter(Self::END) },
        Transition { id: 2, name: "close", next: Next::Enter(Self::END) },
    ]);

    /// Appends the tree.
    pub fn encode(self, out: &mut Vec<u8>) {
        encode::map(out, self.0.len());
        for transition in self.0 {
            encode::uint(out, u64::from(transition.id));
            encode::array(out, 2);
            encode::raw(out, transition.name.as_bytes());
            match transition.next {
                Next::Stay => encode::nil(out),
                Next::Enter(tree) => tree.encode(out),
            }
        }
    }
}

impl Protocol {
    /// Appends the method tree as `resolve` gives it. The control messages that every channel understands are not
    /// listed: clients need not know of them.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode::map(out, self.methods.len());
        for method in self.methods {
            encode::uint(out, u64::from(method.id));
            encode::array(out, 3);
            encode::raw(out, method.name.as_bytes());
            method.dispatch.encode(out);
            method.upstream.encode(out);
        }
    }

    /// Appends the method map of the older dialect, `{id: name}`.
    pub fn encode_v0(&self, out: &mut Vec<u8>) {
        encode::map(out, self.methods.len());
        for method in self.methods {
            encode::uint(out, u64::from(method.id));
            encode::raw(out, method.name.as_bytes());
        }
    }

    /// The method with this id.
    #[must_use]
    pub fn method(&self, id: u32) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.id == id)
    }
}

/// A service's method tree as a client got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    methods: BTreeMap<u64, RemoteMethod>,
}

/// One method of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteMethod {
    /// Its message type.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What the client may send after the call; `None` if the service's own methods may follow on the channel.
    pub dispatch: Option<State>,
    /// What the client may receive; `None` if the service says nothing about it.
    pub upstream: Option<State>,
}

/// The messages of one direction in one state. Cheap to clone: a channel keeps the state it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(Arc<BTreeMap<u64, RemoteTransition>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct RemoteTransition {
    name: String,
    /// `None` stays.
    next: Option<State>,
}

impl Graph {
    /// Reads an encoded method tree. Unknown methods are kept, surplus elements are ignored.
    ///
    /// # Errors
    ///
    /// It is no method tree, or nests deeper than any frame may. The service is at fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArgsError> {
        let mut methods = BTreeMap::new();
        let mut entries = Args::from_map(bytes)?;
        while !entries.is_empty() {
            let id = entries.uint()?;
            let mut method = entries.array()?;
            let name = name(&mut method)?;
            let dispatch = next(&mut method, MAX_DEPTH)?;
            let upstream = next(&mut method, MAX_DEPTH)?;
            methods.insert(id, RemoteMethod { id, name, dispatch, upstream });
        }
        Ok(Self { methods })
    }

    /// The method of this name. Ids may differ between versions of a service; names do not.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&RemoteMethod> {
        self.methods().find(|method| method.name == name)
    }

    /// All methods, by ascending id.
    pub fn methods(&self) -> impl Iterator<Item = &RemoteMethod> {
        self.methods.values()
    }
}

/// What a client that knows a protocol beforehand goes by.
impl From<&Protocol> for Graph {
    fn from(protocol: &Protocol) -> Self {
        let method = |method: &Method| {
            let id = u64::from(method.id);
            let (dispatch, upstream) = (State::from(method.dispatch), State::from(method.upstream));
            (
                id,
                RemoteMethod {
                    id,
                    name: method.name.into(),
                    dispatch: Some(dispatch),
                    upstream: Some(upstream),
                },
            )
        };
        Self { methods: protocol.methods.iter().map(method).collect() }
    }
}

impl From<Tree> for State {
    fn from(tree: Tree) -> Self {
        let transition = |transition: &Transition| {
            let next = match transition.next {
                Next::Stay => None,
                Next::Enter(tree) => Some(Self::from(tree)),
            };
            (u64::from(transition.id), RemoteTransition { name: transition.name.into(), next })
        };
        Self(Arc::new(tree.0.iter().map(transition).collect()))
    }
}

impl State {
    /// What a message of this type is called here and the state after it; `None` if it is not legal here.
    #[must_use]
    pub fn step(&self, message: u64) -> Option<(&str, Self)> {
        let transition = self.0.get(&message)?;
        Some((&transition.name, transition.next.clone().unwrap_or_else(|| self.clone())))
    }

    /// The type of the message of this name.
    #[must_use]
    pub fn message(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(_, transition)| transition.name == name).map(|(id, _)| *id)
    }

    /// Whether nothing more may be sent in this direction.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.0.is_empty()
    }

    fn decode(bytes: &[u8], depth_left: usize) -> Result<Self, ArgsError> {
        let mut transitions = BTreeMap::new();
        let mut entries = Args::from_map(bytes)?;
        while !entries.is_empty() {
            let id = entries.uint()?;
            let mut transition = entries.array()?;
            let name = name(&mut transition)?;
            transitions.insert(id, RemoteTransition { name, next: next(&mut transition, depth_left)? });
        }
        Ok(Self(Arc::new(transitions)))
    }
}

fn name(entry: &mut Args<'_>) -> Result<String, ArgsError> {
    Ok(String::from_utf8_lossy(entry.raw()?).into_owned())
}

/// Nil, nothing, or a state.
fn next(entry: &mut Args<'_>, depth_left: usize) -> Result<Option<State>, ArgsError> {
    if entry.is_empty() {
        return Ok(None);
    }
    let bytes = entry.slice()?;
    if Reader::new(bytes).token() == Ok(Token::Nil) {
        return Ok(None);
    }
    let too_deep = ArgsError { index: 0, expected: "a method tree", found: "one that nests too deep" };
    State::decode(bytes, depth_left.checked_sub(1).ok_or(too_deep)?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::protocols;
    use super::*;

    fn encoded(protocol: &Protocol) -> Vec<u8> {
        let mut out = Vec::new();
        protocol.encode(&mut out);
        out
    }

    #[test]
    fn a_client_walks_a_stream() {
        let graph = Graph::decode(&encoded(&protocols::APP)).unwrap();
        let enqueue = graph.method("enqueue").unwrap();
        let state = enqueue.upstream.clone().unwrap();
        let (name, after) = state.step(0).unwrap();
        assert_eq!((name, &after), ("write", &state));
        let (name, after) = after.step(2).unwrap();
        assert_eq!((name, after.is_end()), ("close", true));
        assert_eq!(state.step(3), None);
        assert_eq!(state.message("error"), Some(1));
        assert_eq!(graph.method("nothing"), None);
    }

    #[test]
    fn every_protocol_survives_the_wire() {
        for protocol in protocols::ALL {
            let graph = Graph::decode(&encoded(protocol)).unwrap();
            assert_eq!(graph, Graph::from(protocol), "{}", protocol.name);
            let names: Vec<(u64, &str)> = graph.methods().map(|method| (method.id, &*method.name)).collect();
            let expected: Vec<(u64, &str)> =
                protocol.methods.iter().map(|method| (u64::from(method.id), method.name)).collect();
            assert_eq!(names, expected, "{}", protocol.name);
            for (method, remote) in protocol.methods.iter().zip(graph.methods()) {
                assert!(same(method.dispatch, remote.dispatch.as_ref().unwrap()), "{}", method.name);
                assert!(same(method.upstream, remote.upstream.as_ref().unwrap()), "{}", method.name);
            }
        }
    }

    fn same(tree: Tree, state: &State) -> bool {
        tree.0.len() == state.0.len()
            && tree.0.iter().all(|transition| match (state.step(u64::from(transition.id)), transition.next) {
                (Some((name, next)), Next::Stay) => name == transition.name && next == *state,
                (Some((name, next)), Next::Enter(tree)) => name == transition.name && same(tree, &next),
                (None, _) => false,
            })
    }

    #[test]
    fn control_messages_and_nil_at_the_root_are_accepted() {
        // {0: ["enqueue", nil, nil], 65533: ["ping", {}, {0: ["value", {}], 1: ["error", {}]}], 7: ["mute"]}
        let bytes = b"\x83\x00\x93\xa7enqueue\xc0\xc0\xcd\xff\xfd\x93\xa4ping\x80\x82\x00\x92\xa5value\x80\x01\x92\xa5error\x80\x07\x91\xa4mute";
        let graph = Graph::decode(bytes).unwrap();
        assert_eq!(graph.method("enqueue").unwrap().dispatch, None);
        assert_eq!(graph.method("ping").unwrap().id, 65_533);
        assert!(graph.method("ping").unwrap().dispatch.as_ref().unwrap().is_end());
        assert_eq!(graph.method("mute").unwrap().upstream, None);
    }

    #[test]
    fn what_is_no_method_tree_is_refused() {
        for bytes in [
            &b"\x90"[..],
            b"",
            b"\x81\xa1x\x91\xa1n",
            b"\x81\x00\xa1n",
            b"\x81\x00\x92\xa1n\x05",
            b"\x82\x00\x91\xa1n",
        ] {
            assert!(Graph::decode(bytes).is_err(), "{bytes:02x?}");
        }
        let deep = [b"\x81\x00\x92\xa1n".repeat(40), vec![0x80]].concat();
        assert_eq!(Graph::decode(&deep).unwrap_err().found, "one that nests too deep");
        let legal = [b"\x81\x00\x92\xa1n".repeat(15), vec![0x80]].concat();
        assert!(Graph::decode(&legal).is_ok());
    }

    #[test]
    fn the_older_dialect_gets_names_only() {
        let mut out = Vec::new();
        protocols::STORAGE.encode_v0(&mut out);
        assert_eq!(out, b"\x84\x00\xa4read\x01\xa5write\x02\xa6remove\x03\xa4find");
    }
}
