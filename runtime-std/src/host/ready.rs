//! The line that says a daemon is ready.

use std::net::SocketAddr;

/// What a daemon writes to standard output, with an end of line, when it serves:
/// `ready locator=HOST:PORT`, then `NAME=HOST:PORT` for whatever else listens, in the given order.
pub fn ready_line<N: AsRef<str>>(listening: impl IntoIterator<Item = (N, SocketAddr)>) -> String {
    let (mut locator, mut others) = (String::new(), String::new());
    for (name, address) in listening {
        let pair = format!(" {}={address}", name.as_ref());
        if name.as_ref() == "locator" { locator.push_str(&pair) } else { others.push_str(&pair) }
    }
    format!("ready{locator}{others}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locator_comes_first() {
        let address = |text: &str| text.parse().unwrap();
        let listening = [
            ("node", address("[::1]:1")),
            ("locator", address("127.0.0.1:10053")),
            ("echo", address("127.0.0.1:2")),
        ];
        assert_eq!(ready_line(listening), "ready locator=127.0.0.1:10053 node=[::1]:1 echo=127.0.0.1:2");
    }
}
