//! `host:port` as people type it.

use std::fmt;
use std::str::FromStr;

/// Port of a master that is named without one.
const MASTER_PORT: u16 = 5050;

/// Where a master or agent listens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Address(String);

/// Why a text is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// A scheme before it.
    #[error("'{0}' has a scheme; masters are named as host:port")]
    Scheme(String),
    /// Nothing before the colon.
    #[error("'{0}' names no host")]
    NoHost(String),
    /// Something else than a number from 1 to 65535 after the colon.
    #[error("'{0}' has no valid port after its colon")]
    BadPort(String),
}

impl Address {
    /// The address of a port on a host.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self(format!("{host}:{port}"))
    }

    /// Its host, without the brackets of IPv6.
    pub(crate) fn host(&self) -> &str {
        let host = self.0.rsplit_once(':').map_or(self.0.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        let port = self.0.rsplit_once(':').map(|(_, port)| port.parse());
        port.and_then(Result::ok).unwrap_or(MASTER_PORT)
    }

    /// As text that a URL takes after its `//`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.contains("://") {
            return Err(AddressError::Scheme(text.into()));
        }
        // The colons of a bare IPv6 address are no port's; it is written in brackets.
        let port_colon = text.rfind(':').filter(|colon| !text[*colon..].contains(']'));
        let (host, port) = match port_colon {
            Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
            None => (text, None),
        };
        if host.is_empty() {
            return Err(AddressError::NoHost(text.into()));
        }
        let port = match port.map(u16::from_str) {
            None => MASTER_PORT,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return Err(AddressError::BadPort(text.into())),
        };
        Ok(Self::new(host, port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let parsed = text.parse::<Address>();
        let shown = parsed.as_ref().map(Address::as_str).map_err(ToString::to_string);
        assert_eq!(shown, expected.map_err(ToString::to_string), "{text}");
    }

    #[test]
    fn a_host_may_come_with_or_without_its_port() {
        check("127.0.0.1:5060", Ok("127.0.0.1:5060"));
        check("master.example", Ok("master.example:5050"));
        check(" [::1]:7000 ", Ok("[::1]:7000"));
        check("[::1]", Ok("[::1]:5050"));
    }

    #[test]
    fn the_host_stands_alone() {
        for (text, host) in [("a.example:1", "a.example"), ("[::1]:7000", "::1")] {
            assert_eq!(text.parse::<Address>().expect("an address").host(), host);
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        check("http://a:1", Err("'http://a:1' has a scheme; masters are named as host:port"));
        check(":5050", Err("':5050' names no host"));
        check("", Err("'' names no host"));
        check("a:", Err("'a:' has no valid port after its colon"));
        check("a:0", Err("'a:0' has no valid port after its colon"));
        check("a:65536", Err("'a:65536' has no valid port after its colon"));
    }
}
