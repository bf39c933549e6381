//! The driver of the node and those of its engines, each on a thread of its own choosing, and the messages
//! between them. The messages are the core's; nothing is decided here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cocaine_core::engine::{Engine, EngineCommand, EngineConfig, EngineNotice};
use cocaine_core::machine::EngineId;
use cocaine_core::node::{Node, NodeCommand, NodeConfig, NodeNotice};
use smol::channel::{self, Receiver, Sender};

use crate::driver::{Spread, World, drive};

/// What the node tells its daemon.
pub(super) type News = NodeNotice;

/// A running node.
pub(super) struct NodeHandle {
    commands: Sender<NodeCommand>,
    pub(super) news: Receiver<News>,
}

impl NodeHandle {
    /// Starts the node's driver. It opens its listeners at once.
    pub(super) fn start(spread: &Arc<Spread>, world: &World, config: NodeConfig) -> Self {
        let (commands, inbox) = channel::unbounded();
        let (tell, news) = channel::unbounded();
        let mut router = Router {
            spread: Arc::clone(spread),
            world: world.clone(),
            node: commands.clone(),
            engines: BTreeMap::new(),
            tell,
        };
        let world = world.clone();
        // The daemon sees `news` end if the node's task does.
        drop(spread.spawn("node", move || async move {
            let clock = world.clock();
            let node = Node::new(config, clock.now());
            drive(node, inbox, move |notice| router.carry(notice), &world).await
        }));
        Self { commands, news }
    }

    /// Asks the node to stop everything in this time.
    pub(super) fn shut_down(&self, within: Duration) {
        // A node that is gone has stopped.
        let _ = self.commands.try_send(NodeCommand::Shutdown { within });
    }

    /// Tells the node to open its listeners and start its apps.
    pub(super) fn open(&self) {
        let _ = self.commands.try_send(NodeCommand::Start);
    }
}

/// Carries the node's notices to where they belong.
struct Router {
    spread: Arc<Spread>,
    world: World,
    node: Sender<NodeCommand>,
    engines: BTreeMap<EngineId, Sender<EngineCommand>>,
    tell: Sender<News>,
}

impl Router {
    fn carry(&mut self, notice: NodeNotice) {
        match notice {
            NodeNotice::StartEngine { engine, config } => self.start_engine(engine, *config),
            NodeNotice::ToEngine { engine, command } => {
                let sent = self.engines.get(&engine).is_some_and(|inbox| inbox.try_send(command).is_ok());
                if !sent {
                    self.engines.remove(&engine);
                    let _ = self.node.try_send(NodeCommand::EngineGone { engine });
                }
            }
            other => {
                let _ = self.tell.try_send(other);
            }
        }
    }

    fn start_engine(&mut self, engine: EngineId, config: EngineConfig) {
        self.engines.retain(|_, inbox| !inbox.is_closed());
        let (commands, inbox) = channel::unbounded();
        self.engines.insert(engine, commands);
        let farewell = Farewell { engine, node: self.node.clone() };
        let world = self.world.clone();
        let name = config.app.to_string();
        drop(self.spread.spawn(&name, move || async move {
            let clock = world.clock();
            let machine = Engine::new(config, clock.now(), clock.wall());
            let end = inbox.clone();
            let tell = |notice| {
                // After one of these an engine has nothing more to say: its driver ends with its inbox.
                if matches!(notice, EngineNotice::Stopped | EngineNotice::Broken { .. }) {
                    end.close();
                }
                let _ = farewell.node.try_send(NodeCommand::FromEngine { engine, notice });
            };
            drive(machine, inbox, tell, &world).await
        }));
    }
}

/// Tells the node that an engine's driver has ended, even if it panicked.
struct Farewell {
    engine: EngineId,
    node: Sender<NodeCommand>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.node.try_send(NodeCommand::EngineGone { engine: self.engine });
    }
}
