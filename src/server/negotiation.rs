//! Content negotiation: accepted encodings, and conditional requests by ETag.

use http::{
    HeaderMap,
    header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH},
};

/// The weight of an encoding (RFC 9110, section 12.5.3), in thousandths. 0 if the client does not accept it.
pub(super) fn wants(headers: &HeaderMap, encoding: &str) -> u16 {
    let weight_of = |name: &str| {
        items(headers, ACCEPT_ENCODING).find_map(|item| {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            coding.trim().eq_ignore_ascii_case(name).then(|| weight(parameters))
        })
    };
    weight_of(encoding).or_else(|| weight_of("*")).unwrap_or(0)
}

/// `q=0.5` as 500. 1,000 if there is no weight, 0 if it is invalid.
fn weight(parameters: &str) -> u16 {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return 1_000;
    }
    let text = parameters.strip_prefix("q=").or_else(|| parameters.strip_prefix("Q="));
    let weight = text.and_then(|text| text.parse::<f32>().ok()).filter(|weight| (0.0..=1.0).contains(weight));
    weight.map_or(0, |weight| (weight * 1_000.0) as u16)
}

/// Whether If-None-Match contains this ETag. Weak tags match too (RFC 9110, section 13.1.2): a proxy that compresses
/// makes the tag weak.
pub(super) fn has(headers: &HeaderMap, etag: &str) -> bool {
    items(headers, IF_NONE_MATCH).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The items of a header that is a list. The header may have several lines.
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(accept: &'static str, encoding: &str) -> u16 {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
        wants(&headers, encoding)
    }

    #[test]
    fn an_encoding_has_its_own_weight_or_that_of_the_star() {
        assert_eq!(wanted("gzip, deflate, br", "br"), 1_000);
        assert_eq!(wanted("gzip;q=0.5,BR ; q=0.25", "br"), 250);
        assert_eq!(wanted("br;q=0, *", "br"), 0);
        assert_eq!(wanted("*;q=0.1", "gzip"), 100);
        for nothing in ["", "gzip", "brotli", "br;q=2", "br;q=x", "br;level=1", "identity"] {
            assert_eq!(wanted(nothing, "br"), 0, "{nothing}");
        }
        assert_eq!(wants(&HeaderMap::new(), "br"), 0);
    }
}
