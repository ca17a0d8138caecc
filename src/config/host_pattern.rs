//! Host names in settings, and splitting off the port.

use serde::{Deserialize, Serialize};

/// A host name, or a pattern for host names. It is stored as a browser writes it: in lower case, other alphabets in
/// Punycode, and IP addresses in their canonical form. The pattern `*.example.com` matches every name below
/// `example.com` at any depth, but not `example.com` itself. The pattern `*` matches every name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// Parses a setting; it must not contain a port.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self(text.to_owned()));
        }
        let (wildcard, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
        if name.contains('*') {
            return Err(
                "* is allowed only as the whole pattern, or at the beginning before a dot, as in \"*.example.com\""
                    .to_owned(),
            );
        }
        match url::Host::parse(name) {
            // One trailing dot is allowed (RFC 1034, section 3.1).
            Ok(url::Host::Domain(name)) if name.strip_suffix('.').unwrap_or(&name).split('.').any(str::is_empty) => {
                Err(format!("{name:?} has nothing between two dots, or before the first one"))
            }
            Ok(url::Host::Domain(name)) => Ok(Self(format!("{wildcard}{name}"))),
            Ok(address) if wildcard.is_empty() => Ok(Self(address.to_string())),
            _ if name.is_empty() => Err("the host name is missing".to_owned()),
            _ => Err(format!("{name:?} is no name of a host")),
        }
    }

    /// Whether the pattern matches a name, regardless of case.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        match pattern {
            b"*" => !name.is_empty(),
            [b'*', suffix @ ..] => {
                let before = name.len().saturating_sub(suffix.len());
                before > 0 && name[before..].eq_ignore_ascii_case(suffix)
            }
            _ => name.eq_ignore_ascii_case(pattern),
        }
    }

    /// The pattern as text, as in the settings.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    /// An entry of `server.hosts`.
    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.split_once("://").map_or(&*text, |(_, rest)| rest);
        let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
        let name = split_port(bare).map_or(bare, |(name, _)| name);
        match Self::parse(&text) {
            Ok(host) => Ok(host),
            Err(_) if name != text && Self::parse(name).is_ok() => {
                Err(format!("{text:?} is more than the name of a host: write {name:?}"))
            }
            Err(why) => Err(format!("{text:?} must be a host name, as in \"chat.test\": {why}")),
        }
    }
}

impl From<HostPattern> for String {
    fn from(host: HostPattern) -> Self {
        host.0
    }
}

/// Splits host and port (RFC 3986, section 3.2); IPv6 addresses are in brackets. `None` if there is more than one
/// colon outside of brackets.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        Some(port) if !port.contains(':') => Some((host, Some(port).filter(|port| !port.is_empty()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalized_as_browsers_write_them() {
        let cases = [
            ("Chat.Example", "chat.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.Bücher.example", "*.xn--bcher-kva.example"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("127.1", "127.0.0.1"),
            ("*", "*"),
            ("localhost", "localhost"),
        ];
        for (text, expected) in cases {
            assert_eq!(HostPattern::parse(text).unwrap().as_str(), expected);
        }
        for wrong in [
            "",
            "*.",
            "a b",
            "*example.com",
            "app-*.example.com",
            "*.*.example.com",
            "*.127.0.0.1",
            "::1",
            "a/b",
            "a..b",
            ".a",
            "a..",
            "*..a",
        ] {
            assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wildcard_matches_every_depth_but_not_the_name_itself() {
        let below = HostPattern::parse("*.example.com").unwrap();
        for name in ["app.example.com", "a.b.example.com", "APP.Example.COM"] {
            assert!(below.matches(name), "{name}");
        }
        for name in ["example.com", ".example.com", "evilexample.com", "app.example.com.evil.org", ""] {
            assert!(!below.matches(name), "{name}");
        }
        assert!(HostPattern::parse("*").unwrap().matches("anything"));
    }

    #[test]
    fn an_entry_with_scheme_or_port_is_refused_and_the_bare_name_suggested() {
        for (text, name) in
            [("https://chat.test:8000/x", "chat.test"), ("chat.test:8000", "chat.test"), ("[::1]:80", "[::1]")]
        {
            let said = HostPattern::try_from(text.to_owned()).unwrap_err();
            assert!(said.ends_with(&format!("write {name:?}")), "{said}");
        }
        assert!(HostPattern::try_from("a b".to_owned()).unwrap_err().contains("as in \"chat.test\""));
    }
}
