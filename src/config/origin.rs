use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};

/// An origin as a browser sends it (RFC 6454, section 6.2): scheme, host and port unless it is the scheme's own;
/// or `*`, or `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// Takes what stands in the configuration.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" || text == "null" {
            return Ok(Self(text.to_owned()));
        }
        let uri: Uri = text.parse().map_err(|_| wrong(text))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong(text)) };
        if text != format!("{scheme}://{authority}") || authority.as_str().contains('@') {
            return Err(wrong(text));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// Whether a request's Origin header is meant by it. `*` means every page with an origin, not `null`.
    pub fn allows(&self, header: &HeaderValue) -> bool {
        let header = header.as_bytes();
        (self.0 == "*" && header != b"null") || header.eq_ignore_ascii_case(self.0.as_bytes())
    }
}

fn wrong(text: &str) -> String {
    format!("{text:?} is no origin: write scheme and host as in \"https://app.example.com\", without a path, or \"*\"")
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(origin: &str, header: &'static str) -> bool {
        Origin::parse(origin).unwrap().allows(&HeaderValue::from_static(header))
    }

    #[test]
    fn exact_or_everybody_and_null_only_by_name() {
        assert!(allows("https://app.example.com", "https://app.example.com"));
        assert!(!allows("https://app.example.com", "https://app.example.com.evil.org"));
        assert!(!allows("https://app.example.com", "http://app.example.com"));
        assert!(allows("*", "https://anything.example"));
        assert!(!allows("*", "null"));
        assert!(allows("null", "null"));
    }

    #[test]
    fn a_path_or_a_bare_host_is_no_origin() {
        for wrong in ["https://app.example.com/", "app.example.com", "https://", "https://me@host", ""] {
            assert!(Origin::parse(wrong).is_err(), "{wrong}");
        }
    }
}
