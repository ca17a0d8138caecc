//! Origins: the patterns of `cors.origins`, and the Origin header of a request.

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::host_pattern::{HostPattern, split_port};

/// A pattern of origins: one origin as a browser sends it (RFC 6454, section 6.2), with scheme, host and any port
/// that is not the scheme's default; or many, with `*` for the names below a host or for the port; or `*`; or `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    text: String,
    pattern: Pattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// Every origin but `null`.
    Every,
    Null,
    Pages {
        scheme: String,
        host: Host,
        port: Port,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Of(HostPattern),
    /// The text after `capacitor://` and the like; may be empty.
    Exactly(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Every,
    /// `None` is the scheme's default port.
    One(Option<u16>),
}

/// A parsed Origin header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentOrigin<'a> {
    /// As in `https`.
    pub scheme: &'a str,
    /// The name or the address; an IPv6 address is in brackets.
    pub host: &'a str,
    /// `None` if the header has no port.
    pub port: Option<u16>,
}

impl<'a> SentOrigin<'a> {
    /// `None` for `null` and for an invalid origin.
    pub fn parse(header: &'a HeaderValue) -> Option<Self> {
        let (scheme, authority) = header.to_str().ok()?.split_once("://")?;
        if !is_scheme(scheme) || authority.contains(['/', '?', '#', '@']) {
            return None;
        }
        let (host, port) = split_port(authority)?;
        let port: Option<u16> = port.map(str::parse).transpose().ok()?;
        Some(Self { scheme, host, port: port.filter(|port| Some(*port) != default_port(scheme)) })
    }
}

impl Origin {
    /// Parses a setting. An origin that no browser or app ever sends is refused, with a suggestion if there is one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = match text {
            "*" => Pattern::Every,
            _ if text.eq_ignore_ascii_case("null") => Pattern::Null,
            _ => pages(text).map_err(|wrong| wrong.sentence(text))?,
        };
        Ok(Self { text: written(&pattern), pattern })
    }

    /// Whether the pattern matches the Origin header of a request.
    pub(crate) fn allows(&self, header: &HeaderValue) -> bool {
        let is_null = header.as_bytes().eq_ignore_ascii_case(b"null");
        match &self.pattern {
            Pattern::Every => !is_null,
            Pattern::Null => is_null,
            Pattern::Pages { scheme, host, port } => SentOrigin::parse(header).is_some_and(|sent| {
                let is_host = match host {
                    Host::Of(pattern) => pattern.matches(sent.host),
                    Host::Exactly(text) => text.eq_ignore_ascii_case(sent.host),
                };
                sent.scheme.eq_ignore_ascii_case(scheme)
                    && is_host
                    && [Port::Every, Port::One(sent.port)].contains(port)
            }),
        }
    }
}

/// Why a text is no valid origin, and a suggestion.
struct OriginError {
    why: String,
    instead: Option<String>,
}

impl OriginError {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), instead: None }
    }

    /// Sets the suggestion, if it is a valid origin.
    fn meaning(self, instead: &str) -> Self {
        Self { instead: pages(instead).ok().map(|pattern| written(&pattern)), ..self }
    }

    fn of_pages_without_origin(scheme: &str) -> Self {
        let why = format!("pages of {scheme}: have no origin of their own, and most send null");
        Self { instead: Some("null".to_owned()), ..Self::because(why) }
    }

    fn sentence(self, text: &str) -> String {
        let instead = self.instead.unwrap_or_else(|| "https://app.example.com".to_owned());
        format!("{text:?} is no origin: {}; write scheme and host as in {instead:?}", self.why)
    }
}

fn pages(text: &str) -> Result<Pattern, OriginError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        if let Some(wrong) = half_a_scheme(text) {
            return Err(wrong);
        }
        let is_local = text.starts_with("localhost") || text.starts_with("127.") || text.starts_with('[');
        let scheme = if is_local { "http" } else { "https" };
        return Err(OriginError::because("it has no scheme").meaning(&format!("{scheme}://{text}")));
    };
    let scheme = scheme.to_ascii_lowercase();
    if !is_scheme(&scheme) {
        return Err(OriginError::because(format!("{scheme:?} is no scheme")));
    }
    if let Some(of_pages) = match &*scheme {
        "ws" => Some("http"),
        "wss" => Some("https"),
        _ => None,
    } {
        return Err(
            OriginError::because(format!("a page's scheme is never {scheme}")).meaning(&format!("{of_pages}://{rest}"))
        );
    }
    if is_without_origin(&scheme) {
        return Err(OriginError::of_pages_without_origin(&scheme));
    }
    if scheme == "file" && !rest.is_empty() {
        return Err(OriginError::because("a file's origin has neither host nor path").meaning("file://"));
    }
    if let Some(end) = rest.find(['/', '?', '#', '\\']) {
        let why = "it ends with the host or the port, without a slash or a path";
        return Err(OriginError::because(why).meaning(&format!("{scheme}://{}", &rest[..end])));
    }
    if let Some((_, host)) = rest.rsplit_once('@') {
        return Err(OriginError::because("it never names a user").meaning(&format!("{scheme}://{host}")));
    }
    let (host, port) = split_port(rest).ok_or_else(|| OriginError::because("an address of IPv6 is in brackets"))?;
    let port = match port {
        None => Port::One(None),
        Some("*") => Port::Every,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Port::One(Some(port).filter(|port| Some(*port) != default_port(&scheme))),
            _ => {
                return Err(OriginError::because(format!("{port:?} is no port")).meaning(&format!("{scheme}://{host}")));
            }
        },
    };
    let host = if is_of_web(&scheme) || host.contains('*') {
        Host::Of(HostPattern::parse(host).map_err(OriginError::because)?)
    } else if host.bytes().all(|byte| byte.is_ascii_graphic()) {
        Host::Exactly(host.to_owned())
    } else {
        return Err(OriginError::because("an app's origin has no spaces and no letters beyond ASCII"));
    };
    Ok(Pattern::Pages { scheme, host, port })
}

/// The error for a text whose scheme is not followed by two slashes.
fn half_a_scheme(text: &str) -> Option<OriginError> {
    let (scheme, rest) = text.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    if rest == "*" || (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())) {
        // Host and port, not a scheme.
        return None;
    }
    match &*scheme {
        scheme if is_without_origin(scheme) => Some(OriginError::of_pages_without_origin(scheme)),
        "http" | "https" | "ws" | "wss" | "file" | "app" | "capacitor" | "ionic" | "tauri" => {
            let why = "two slashes stand behind the scheme";
            Some(OriginError::because(why).meaning(&format!("{scheme}://{}", rest.trim_start_matches('/'))))
        }
        _ => None,
    }
}

fn written(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Every => "*".to_owned(),
        Pattern::Null => "null".to_owned(),
        Pattern::Pages { scheme, host, port } => {
            let host = match host {
                Host::Of(pattern) => pattern.as_str(),
                Host::Exactly(text) => text,
            };
            let port = match port {
                Port::Every => ":*".to_owned(),
                Port::One(port) => port.map_or_else(String::new, |port| format!(":{port}")),
            };
            format!("{scheme}://{host}{port}")
        }
    }
}

/// The syntax of a scheme (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether pages of this scheme have an opaque origin or inherit that of their opener (HTML, section 7.1.1).
fn is_without_origin(scheme: &str) -> bool {
    ["data", "blob", "about", "javascript"].contains(&scheme)
}

fn is_of_web(scheme: &str) -> bool {
    default_port(scheme).is_some()
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.text
    }
}

#[cfg(test)]
mod tests;
