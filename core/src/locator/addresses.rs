//! From the address a listener is bound to, to addresses that a client can connect to.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses to give to clients for a listener on `bound`, best first, each once.
///
/// A concrete address stands for itself. A wildcard stands for the `advertised` ones that it covers (the IPv6
/// wildcard takes IPv4 connections too), and for the loopback address of its family if there are none. A
/// wildcard is never among them: clients would connect to their own machine.
#[must_use]
pub fn reachable(bound: &[SocketAddr], advertised: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let mut put = |ip: IpAddr, port: u16| {
        let addr = SocketAddr::new(ip, port);
        if !found.contains(&addr) {
            found.push(addr);
        }
    };
    for addr in bound {
        if !addr.ip().is_unspecified() {
            put(addr.ip(), addr.port());
            continue;
        }
        let mut covered = advertised.iter().filter(|ip| covers(addr.ip(), **ip)).peekable();
        if covered.peek().is_none() {
            put(loopback(addr.ip()), addr.port());
        }
        covered.for_each(|ip| put(*ip, addr.port()));
    }
    found
}

/// Whether a listener on this wildcard takes connections to `ip`.
const fn covers(wildcard: IpAddr, ip: IpAddr) -> bool {
    !ip.is_unspecified() && (wildcard.is_ipv6() || ip.is_ipv4())
}

const fn loopback(wildcard: IpAddr) -> IpAddr {
    match wildcard {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|addr| addr.parse().unwrap()).collect()
    }

    #[test]
    fn a_wildcard_is_never_given_to_clients() {
        let ips: Vec<IpAddr> =
            ["192.0.2.7", "0.0.0.0", "2001:db8::7", "::"].iter().map(|ip| ip.parse().unwrap()).collect();
        let rows: [(&[&str], &[IpAddr], &[&str]); 6] = [
            (&["192.0.2.1:5"], &ips, &["192.0.2.1:5"]),
            (&["0.0.0.0:5"], &ips, &["192.0.2.7:5"]),
            (&["[::]:5"], &ips, &["192.0.2.7:5", "[2001:db8::7]:5"]),
            (&["0.0.0.0:5", "[::]:5"], &ips, &["192.0.2.7:5", "[2001:db8::7]:5"]),
            (&["0.0.0.0:5"], &[], &["127.0.0.1:5"]),
            (&["[::]:5"], &[], &["[::1]:5"]),
        ];
        for (bound, advertised, expected) in rows {
            assert_eq!(reachable(&addrs(bound), advertised), addrs(expected), "{bound:?}");
        }
    }
}
