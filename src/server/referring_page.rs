//! Finds the page that a request without an Origin header comes from. Browsers send no Origin for scripts, images and
//! links, which a page may load from any host. JSONP is such a script.

use http::{HeaderMap, HeaderValue, header::REFERER};

/// The page that a request without an Origin comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A page of the same origin, or a person who typed the address.
    Own,
    /// Another page, with its origin if there is a Referer.
    Other(Option<HeaderValue>),
    /// Unknown: the client is not a browser, or is an old one.
    None,
}

/// The page, by Sec-Fetch-Site. Browsers have sent it since 2020, but only to HTTPS and to loopback addresses. Without
/// it, the Referer is used, for JSONP only.
pub(super) fn of(headers: &HeaderMap, is_jsonp: impl FnOnce() -> bool) -> Page {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => Page::Own,
        Some(_) => Page::Other(headers.get(REFERER).and_then(origin)),
        None => match headers.get(REFERER) {
            Some(referer) if is_jsonp() => Page::Other(origin(referer)),
            _ => Page::None,
        },
    }
}

/// The scheme, host and port of a URL.
pub(super) fn origin(url: &HeaderValue) -> Option<HeaderValue> {
    let url = url.to_str().ok()?;
    let authority = url.find("://")? + "://".len();
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |len| authority + len);
    HeaderValue::from_str(&url[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(site: Option<&'static str>, referer: Option<&'static str>, is_jsonp: bool) -> Page {
        let mut headers = HeaderMap::new();
        for (name, value) in [("sec-fetch-site", site), ("referer", referer)] {
            headers.extend(
                value.map(|value| (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value))),
            );
        }
        of(&headers, || is_jsonp)
    }

    fn other(origin: &'static str) -> Page {
        Page::Other(Some(HeaderValue::from_static(origin)))
    }

    #[test]
    fn the_origin_of_another_site_is_that_of_its_referer() {
        let referer = Some("https://app.example:8443/a?b#c");
        for is_jsonp in [true, false] {
            for site in ["cross-site", "same-site", "anything"] {
                assert_eq!(page(Some(site), referer, is_jsonp), other("https://app.example:8443"), "{site}");
                assert_eq!(page(Some(site), None, is_jsonp), Page::Other(None), "{site}");
            }
            for site in ["same-origin", "none"] {
                assert_eq!(page(Some(site), referer, is_jsonp), Page::Own, "{site}");
            }
        }
    }

    #[test]
    fn without_sec_fetch_site_the_referer_is_used_for_jsonp() {
        for referer in ["https://app.example/", "https://app.example?x", "https://app.example"] {
            assert_eq!(page(None, Some(referer), true), other("https://app.example"), "{referer}");
            assert_eq!(page(None, Some(referer), false), Page::None, "{referer}");
        }
        assert_eq!(page(None, Some("nonsense"), true), Page::Other(None));
        assert_eq!(page(None, None, true), Page::None);
    }
}
