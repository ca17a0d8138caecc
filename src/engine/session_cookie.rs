//! The cookie that names the session of Engine.IO (`[cookie]`), for load balancers that keep a client on one server.

use http::HeaderValue;

use crate::config::{CookieConfig, SameSite};

/// The cookie, apart from the session.
#[derive(Debug)]
pub(crate) struct SessionCookie {
    name: String,
    attributes: String,
}

impl SessionCookie {
    /// `None` where the settings name no cookie.
    pub(crate) fn of(config: &CookieConfig) -> Option<Self> {
        if config.name.is_empty() {
            return None;
        }
        let mut attributes = String::new();
        if !config.max_age.is_zero() {
            attributes += &format!("; Max-Age={}", config.max_age.as_secs());
        }
        attributes += &format!("; Path={}", config.path);
        if config.http_only {
            attributes += "; HttpOnly";
        }
        if config.secure {
            attributes += "; Secure";
        }
        attributes += match config.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        Some(Self { name: config.name.clone(), attributes })
    }

    /// `Set-Cookie` for a session.
    pub(super) fn header(&self, sid: &str) -> HeaderValue {
        let Self { name, attributes } = self;
        HeaderValue::from_str(&format!("{name}={sid}{attributes}")).expect("the settings were checked")
    }
}
