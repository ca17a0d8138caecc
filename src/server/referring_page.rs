//! The page behind a request without an Origin header. Browsers send no Origin for scripts, images and links, which any
//! page may load from anywhere; JSONP is such a script.

use http::{HeaderMap, HeaderValue, header::REFERER};

/// The page that a request without an Origin comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A page of the same origin, or a person who typed the address.
    Own,
    /// Another page, with its origin if the Referer tells it.
    Other(Option<HeaderValue>),
    /// Unknown: a client that is not a browser, or an old browser.
    None,
}

/// Judges by the headers. Browsers have sent Sec-Fetch-Site since 2020, but to HTTPS and to this machine alone.
/// Without it, the Referer counts where JSONP is asked for.
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

/// A URL without what follows its host and port.
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
    fn another_site_is_told_by_its_referer() {
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
    fn without_a_site_the_referer_of_jsonp_counts() {
        for referer in ["https://app.example/", "https://app.example?x", "https://app.example"] {
            assert_eq!(page(None, Some(referer), true), other("https://app.example"), "{referer}");
            assert_eq!(page(None, Some(referer), false), Page::None, "{referer}");
        }
        assert_eq!(page(None, Some("nonsense"), true), Page::Other(None));
        assert_eq!(page(None, None, true), Page::None);
    }
}
