//! Checks of the settings that become headers of responses: `[cors]` and `[cookie]`.

use http::{HeaderName, Method};

use crate::config::{CookieConfig, CorsConfig, SameSite, findings::Findings};

pub(super) fn check(cors: &CorsConfig, cookie: &CookieConfig, findings: &mut Findings) {
    for method in cors.methods.iter().filter(|method| method.parse::<Method>().is_err()) {
        findings.wrong(&["cors.methods"], format!("has {method:?}, which is no method of HTTP"));
    }
    for (key, names) in
        [("cors.allowed-headers", &cors.allowed_headers), ("cors.exposed-headers", &cors.exposed_headers)]
    {
        for name in names.iter().filter(|name| name.parse::<HeaderName>().is_err()) {
            findings.wrong(&[key], format!("has {name:?}, which is no name of a header"));
        }
    }
    // A cookie's name is a token, as a header's is (RFC 6265, section 4.1.1).
    if !cookie.name.is_empty() && cookie.name.parse::<HeaderName>().is_err() {
        findings.wrong(&["cookie.name"], format!("is {:?}, which is no name of a cookie", cookie.name));
    }
    let is_in_path = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b';';
    if !cookie.path.starts_with('/') || !cookie.path.bytes().all(is_in_path) {
        findings.wrong(
            &["cookie.path"],
            format!(
                "is {:?}, which is no path of a cookie: a path begins with /, and holds printable ASCII without ;",
                cookie.path
            ),
        );
    }
    if cookie.same_site == SameSite::None && !cookie.secure && !cookie.name.is_empty() {
        findings.warn("cookie.same-site is \"none\" without cookie.secure: browsers refuse such a cookie");
    }
}
