//! The services of a node, described.

use super::graph::{Method, Next, Protocol, Transition, Tree};

/// After the call, the client may only say that it has had enough.
const DISCARD: Tree = Tree(&[Transition { id: 0, name: "discard", next: Next::Enter(Tree::END) }]);

const fn method(id: u32, name: &'static str, dispatch: Tree, upstream: Tree) -> Method {
    Method { id, name, dispatch, upstream }
}

/// A call with one answer and nothing more from the client.
const fn call(id: u32, name: &'static str) -> Method {
    method(id, name, Tree::END, Tree::VALUE)
}

/// Names to services. Clients know it before they have resolved anything.
pub const LOCATOR: Protocol = Protocol {
    name: "locator",
    version: 3,
    methods: &[
        call(0, "resolve"),
        method(1, "connect", Tree::END, Tree::STREAM),
        call(2, "refresh"),
        call(3, "cluster"),
        method(4, "publish", DISCARD, Tree::VALUE),
        method(5, "routing", DISCARD, Tree::STREAM),
        call(6, "uuid"),
    ],
};

/// Values by collection and key.
pub const STORAGE: Protocol = Protocol {
    name: "storage",
    version: 1,
    methods: &[call(0, "read"), call(1, "write"), call(2, "remove"), call(3, "find")],
};

/// The node's log.
pub const LOGGING: Protocol = Protocol {
    name: "logging",
    version: 2,
    methods: &[method(0, "emit", Tree::END, Tree::END), call(1, "verbosity"), call(2, "set_verbosity")],
};

/// The apps of a node.
pub const NODE: Protocol = Protocol {
    name: "node",
    version: 1,
    methods: &[
        call(0, "start_app"),
        call(1, "pause_app"),
        call(2, "list"),
        call(3, "info"),
        method(4, "control", Tree::STREAM, Tree::VALUE),
        method(5, "enqueue", Tree::STREAM, Tree::STREAM),
    ],
};

/// One app. Its service has the app's name.
pub const APP: Protocol = Protocol {
    name: "app",
    version: 1,
    methods: &[
        method(0, "enqueue", Tree::STREAM, Tree::STREAM),
        call(1, "info"),
        method(2, "control", Tree::STREAM, Tree::VALUE),
    ],
};

/// All of them.
pub const ALL: [&Protocol; 5] = [&LOCATOR, &STORAGE, &LOGGING, &NODE, &APP];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_leave_no_gap() {
        for protocol in ALL {
            for (id, method) in (0..).zip(protocol.methods) {
                assert_eq!(method.id, id, "{} {}", protocol.name, method.name);
                assert_eq!(protocol.method(id), Some(method));
            }
        }
    }
}
