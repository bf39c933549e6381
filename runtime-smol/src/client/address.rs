//! Where locators are.

use std::io;

use cocaine_core::machine::Endpoint;

/// Where a locator is looked for if nobody says otherwise.
pub const DEFAULT_LOCATOR: &str = "127.0.0.1:10053";

/// The port of a locator given without one.
const DEFAULT_PORT: u16 = 10053;

/// Reads a list of locators, `host:port` separated by commas, and looks up the names among them. Without a port
/// it is 10053; an IPv6 address with a port stands in brackets.
///
/// # Errors
/// A name is not known, a port is no number, or the list is empty; the error says which.
pub async fn locators(list: &str) -> io::Result<Vec<Endpoint>> {
    let mut endpoints = Vec::new();
    for locator in list.split(',').map(str::trim).filter(|locator| !locator.is_empty()) {
        let addresses = smol::net::resolve(with_port(locator)).await;
        let addresses = addresses.map_err(|error| {
            io::Error::new(error.kind(), format!("locator {locator:?} is no address: {error}"))
        })?;
        endpoints.extend(addresses.into_iter().map(Endpoint::Tcp));
    }
    match endpoints.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, "no locator is given")),
        false => Ok(endpoints),
    }
}

fn with_port(locator: &str) -> String {
    let bare_v6 = locator.parse::<std::net::Ipv6Addr>().is_ok();
    match locator.rsplit_once(':') {
        _ if bare_v6 => format!("[{locator}]:{DEFAULT_PORT}"),
        Some((host, _)) if !host.starts_with('[') || host.ends_with(']') => locator.to_owned(),
        _ => format!("{locator}:{DEFAULT_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        for (given, expected) in [
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("127.0.0.1", "127.0.0.1:10053"),
            ("::1", "[::1]:10053"),
            ("[::1]", "[::1]:10053"),
            ("[::1]:7", "[::1]:7"),
            ("localhost", "localhost:10053"),
        ] {
            assert_eq!(with_port(given), expected);
        }
        let list = smol::block_on(locators(" 127.0.0.1:1, [::1]:2,")).unwrap();
        assert_eq!(list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:1", "[::1]:2"]);
    }

    #[test]
    fn what_is_no_address_is_named() {
        let error = smol::block_on(locators("127.0.0.1:1,127.0.0.1:x")).unwrap_err();
        assert!(error.to_string().contains("\"127.0.0.1:x\""), "{error}");
        assert!(smol::block_on(locators(" ,")).is_err());
    }
}
