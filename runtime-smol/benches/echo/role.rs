//! The parts that this program plays beside its own: it starts itself for them.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sockets::{Address, Listener};
use crate::{floor, relay, worker};

/// A part, from hidden arguments.
pub(crate) enum Role {
    Floor(PathBuf),
    Relay(PathBuf),
    /// Started by the daemon, with the arguments that all workers get.
    Worker {
        endpoint: String,
        uuid: String,
    },
}

/// Somebody who plays one, until it is dropped.
pub(crate) struct Player {
    pub(crate) address: Address,
    child: Child,
}

impl Role {
    pub(crate) fn from_args(args: &[String]) -> Option<Self> {
        let value = |key: &str| {
            let at = args.iter().position(|arg| arg == key)?;
            args.get(at + 1).cloned()
        };
        match args {
            [role, path] if role == "floor" => Some(Self::Floor(path.into())),
            [role, path] if role == "relay" => Some(Self::Relay(path.into())),
            _ => Some(Self::Worker { endpoint: value("--endpoint")?, uuid: value("--uuid")? }),
        }
    }

    pub(crate) fn play(self) -> io::Result<()> {
        match self {
            Self::Floor(path) => {
                let listener = Listener::Unix(UnixListener::bind(path)?);
                println!("0");
                floor::serve(&listener)
            }
            Self::Relay(path) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                println!("{}", listener.local_addr()?.port());
                relay::serve(&Listener::Tcp(listener), &Address::Unix(path))
            }
            Self::Worker { endpoint, uuid } => worker::serve(&endpoint, &uuid),
        }
    }

    pub(crate) fn floor(place: &Path) -> io::Result<Player> {
        let path = place.join("floor.sock");
        let (child, _) = start("floor", &path)?;
        Ok(Player { address: Address::Unix(path), child })
    }

    /// A relay to the floor in the same place.
    pub(crate) fn relay(place: &Path) -> io::Result<Player> {
        let (child, port) = start("relay", &place.join("floor.sock"))?;
        Ok(Player { address: Address::Tcp(port), child })
    }
}

/// Starts this program in a role; it says at which port it listens.
fn start(role: &str, path: &Path) -> io::Result<(Child, u16)> {
    let mut child =
        Command::new(std::env::current_exe()?).arg(role).arg(path).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or_else(|| io::Error::other("no output"))?).read_line(&mut line)?;
    let port = line.trim().parse().map_err(|_| io::Error::other(format!("the {role} did not start")))?;
    Ok((child, port))
}

impl Player {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
