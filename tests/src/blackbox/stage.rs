//! A node where something is going to go wrong, and a bystander who must not notice.

use super::Binaries;
use super::app::{App, AppSpec};
use super::client::Client;
use super::node::Node;

/// The app that has the trouble.
pub(super) const SUBJECT: &str = "subject";
const BYSTANDER: &str = "bystander";

/// A node with two apps, and somebody who works with the second one all the while.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) node: Node,
    bystander: Client,
    /// Open from the beginning to the end.
    stream: u64,
    said: u32,
}

impl Stage {
    /// The subject's workers follow `plan`, under `profile`.
    pub(super) fn new(binaries: &Binaries, plan: &str, profile: &str) -> Self {
        Self::with(binaries, AppSpec::new(SUBJECT, plan).profile(profile))
    }

    /// The subject is well-behaved unless it is asked not to be.
    pub(super) fn serving(binaries: &Binaries) -> Self {
        Self::new(binaries, "serve", "{}")
    }

    pub(super) fn with(binaries: &Binaries, subject: AppSpec) -> Self {
        let node = Node::with(binaries, &[subject, AppSpec::serving(BYSTANDER)]);
        let mut bystander = node.client(BYSTANDER);
        let stream = bystander.enqueue("echo");
        let mut stage = Self { node, bystander, stream, said: 0 };
        stage.nobody_noticed();
        stage
    }

    /// A new client of the subject.
    pub(super) fn client(&self) -> Client {
        self.node.client(SUBJECT)
    }

    pub(super) fn subject(&self) -> &App {
        self.node.app(SUBJECT)
    }

    /// The bystander's old stream and a new request are served, by the one worker that there was from the
    /// beginning; and so is a new client of the node's services.
    pub(super) fn nobody_noticed(&mut self) {
        self.said += 1;
        let words = format!("all is well {}", self.said);
        self.bystander.write(self.stream, words.clone());
        assert_eq!(self.bystander.chunk(self.stream), words);
        self.bystander.echoes("and still is");
        assert_eq!(
            self.node.app(BYSTANDER).journal.count("start "),
            1,
            "the bystander's worker was replaced"
        );
        self.node.client("node").call(2, &[]).expect("the node service answers");
    }
}
