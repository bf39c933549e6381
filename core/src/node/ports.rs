//! Ports that services and apps listen on.

use alloc::collections::BTreeMap;
use alloc::format;

use super::config::PortConfig;
use crate::rng::Rng;
use crate::wire::{Failure, codes};

/// Which port of the range belongs to whom. A port comes back when its app has stopped.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    config: PortConfig,
    /// Ports of the range that are taken.
    taken: BTreeMap<u16, Taken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    ByUs,
    /// Another program listens there.
    ByOthers,
}

impl Ports {
    pub(super) const fn new(config: PortConfig) -> Self {
        Self { config, taken: BTreeMap::new() }
    }

    /// A port for a service or app: its own, or one of the range, or 0 for any.
    pub(super) fn take(&mut self, name: &str, rng: &mut Rng) -> Result<u16, Failure> {
        if let Some(port) = self.config.pinned.get(name) {
            return Ok(*port);
        }
        let Some((first, end)) = self.config.range.filter(|(first, end)| first < end) else { return Ok(0) };
        let width = end - first;
        let offset = u16::try_from(rng.below(u64::from(width))).unwrap_or(0);
        // From a random port upwards, so that a port is not handed from one app to the next at once.
        let port = (0..width).map(|step| {
            let at = (u32::from(offset) + u32::from(step)) % u32::from(width);
            first + u16::try_from(at).unwrap_or(0)
        });
        let free = port.into_iter().find(|port| !self.taken.contains_key(port) && !self.is_pinned(*port));
        let Some(port) = free else {
            let text = format!("no port of the range {first} to {} is free for {name:?}", end - 1);
            return Err(Failure::new(codes::NO_RESOURCES, text));
        };
        self.taken.insert(port, Taken::ByUs);
        Ok(port)
    }

    /// Takes a port back.
    pub(super) fn give_back(&mut self, port: u16) {
        if self.taken.get(&port) == Some(&Taken::ByUs) {
            self.taken.remove(&port);
        }
    }

    /// Another program has this port. Returns whether it is one of the range, so that there is another to try.
    pub(super) fn lost(&mut self, port: u16) -> bool {
        let ours = self.taken.get_mut(&port);
        ours.map(|taken| *taken = Taken::ByOthers).is_some()
    }

    fn is_pinned(&self, port: u16) -> bool {
        self.config.pinned.values().any(|pinned| *pinned == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(range: Option<(u16, u16)>) -> Ports {
        let pinned = BTreeMap::from([("echo".into(), 9001u16)]);
        Ports::new(PortConfig { pinned, range })
    }

    #[test]
    fn every_port_of_the_range_is_used_once_and_the_end_never() {
        let (mut ports, mut rng) = (ports(Some((9000, 9004))), Rng::new(1));
        let mut got: alloc::vec::Vec<u16> = (0..3).map(|_| ports.take("a", &mut rng).unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, [9000, 9002, 9003], "9001 is pinned for another");
        let failure = ports.take("a", &mut rng).unwrap_err();
        assert_eq!(failure.to_string(), "[20991,2] no port of the range 9000 to 9003 is free for \"a\"");
        assert_eq!(ports.take("echo", &mut rng), Ok(9001));
        ports.give_back(9002);
        assert_eq!(ports.take("b", &mut rng), Ok(9002));
    }

    #[test]
    fn a_port_of_another_program_is_not_tried_twice() {
        let (mut ports, mut rng) = (ports(Some((9000, 9001))), Rng::new(1));
        assert_eq!(ports.take("a", &mut rng), Ok(9000));
        assert!(ports.lost(9000));
        ports.give_back(9000);
        assert!(ports.take("a", &mut rng).is_err());
        assert!(!ports.lost(9001), "pinned ports have no substitute");
    }

    #[test]
    fn without_a_range_the_operating_system_chooses() {
        assert_eq!(ports(None).take("a", &mut Rng::new(1)), Ok(0));
        assert_eq!(ports(Some((5, 5))).take("a", &mut Rng::new(1)), Ok(0));
    }
}
