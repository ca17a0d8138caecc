//! Serves the demo's files, which are built into the binary.

use std::cmp::Reverse;

use ::http::{
    HeaderMap, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::negotiation;
use crate::http;

#[derive(RustEmbed)]
#[folder = "client-demo/dist"]
#[allow_missing = true]
struct Files;

/// The page of a build without the demo. The Content-Security-Policy allows its style by a hash.
const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>sockeye</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>sockeye is running</h1>
<p>Socket.IO clients can connect to this address. The demo is not part of this build: run <code>make run</code>,
or build it with <code>npm ci && npm run build</code> in <code>client-demo</code> and start the server again.</p>
"#;

/// The encodings in which the demo's build writes files, with the suffixes of their names. The smallest is first.
const FORMS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The file at a path, in an encoding that the client accepts.
pub(super) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    http::guarded(http::OWN_FILES, find(&uri, &headers))
}

fn find(uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let is_form = FORMS.iter().any(|(_, suffix)| path.ends_with(suffix));
    let Some(plain) = Files::get(path).filter(|_| !is_form) else {
        return match path {
            "index.html" => Html(NOT_BUILT).into_response(),
            _ => (StatusCode::NOT_FOUND, "not found\n").into_response(),
        };
    };
    let content_type = plain.metadata.mimetype().to_owned();
    let (encoding, file) = compressed(path, headers).map_or((None, plain), |(name, file)| (Some(name), file));
    // Each encoding has an ETag of its own (RFC 9110, section 8.8.3).
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hash}\"");
    // Vite puts a hash of the content into the names of assets, so an asset never changes.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let validity = [(ETAG, etag.as_str()), (CACHE_CONTROL, cache), (VARY, "accept-encoding")];
    if negotiation::has(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, validity).into_response();
    }
    let kind = [(CONTENT_TYPE, content_type.as_str())];
    let encoding = encoding.map(|name| [(CONTENT_ENCODING, name)]);
    (validity, kind, encoding.map(AppendHeaders), file.data).into_response()
}

/// The file in the encoding that the client prefers. `None` if the client accepts none or there is no such file.
fn compressed(path: &str, headers: &HeaderMap) -> Option<(&'static str, EmbeddedFile)> {
    let mut forms = FORMS.map(|(name, suffix)| (negotiation::wants(headers, name), name, suffix));
    // The sort is stable: of two encodings with the same weight, the smaller one stays first.
    forms.sort_by_key(|(wanted, ..)| Reverse(*wanted));
    let mut wanted = forms.into_iter().filter(|(wanted, ..)| *wanted > 0);
    wanted.find_map(|(_, name, suffix)| Some((name, Files::get(&format!("{path}{suffix}"))?)))
}

#[cfg(test)]
mod tests {
    use ::http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};
    use axum::body::to_bytes;
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};

    use super::*;

    async fn answer(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        file(path.parse().unwrap(), headers).await
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX).await.unwrap().into()
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The largest script that this build has in every encoding.
    fn script() -> Option<String> {
        let names = Files::iter().filter(|name| name.ends_with(".js"));
        let whole =
            names.filter(|name| FORMS.iter().all(|(_, suffix)| Files::get(&format!("{name}{suffix}")).is_some()));
        whole.max_by_key(|name| Files::get(name).map(|file| file.data.len())).map(|name| format!("/{name}"))
    }

    #[tokio::test]
    async fn a_build_without_the_demo_says_how_to_build_it_and_a_build_with_it_has_compressed_files() {
        let page = answer("/", &[]).await;
        assert_eq!(page.status(), StatusCode::OK);
        let is_built = Files::get("index.html").is_some();
        assert_eq!(String::from_utf8(body(page).await).unwrap().contains("is not part of this build"), !is_built);
        assert!(!is_built || script().is_some(), "built without precompress.js: run `make demo`");
        assert_eq!(answer("/assets/nothing.js", &[]).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_encoding_is_one_that_the_client_accepts() {
        let Some(script) = script() else { return };
        let plain = answer(&script, &[]).await;
        assert_eq!((header(&plain, CONTENT_ENCODING), header(&plain, VARY)), ("", "accept-encoding"));
        let (kind, tag) = (header(&plain, CONTENT_TYPE).to_owned(), header(&plain, ETAG).to_owned());
        let whole = body(plain).await.len();
        let cases = [
            ("br", "br"),
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "br"),
            ("br;q=0, gzip", "gzip"),
            ("br;q=0.5, gzip", "gzip"),
            ("*", "br"),
        ];
        for (accept, encoding) in cases {
            let accepts = (ACCEPT_ENCODING, accept);
            let response = answer(&script, std::slice::from_ref(&accepts)).await;
            assert_eq!(header(&response, CONTENT_ENCODING), encoding, "{accept}");
            assert_eq!(header(&response, CONTENT_TYPE), kind);
            assert_eq!(header(&response, CACHE_CONTROL), "public, max-age=31536000, immutable");
            let own = header(&response, ETAG).to_owned();
            assert_ne!(own, tag, "each encoding has an ETag of its own");
            assert!(body(response).await.len() < whole / 2);
            for known in [own.clone(), format!("\"x\", W/{own}")] {
                let again = answer(&script, &[accepts.clone(), (IF_NONE_MATCH, &known)]).await;
                assert_eq!((again.status(), header(&again, ETAG)), (StatusCode::NOT_MODIFIED, &*own));
                assert_eq!(header(&again, VARY), "accept-encoding");
                assert!(body(again).await.is_empty());
            }
        }
        for accept in ["", "identity", "zstd", "br;q=0, gzip;q=0", "*;q=0"] {
            let response = answer(&script, &[(ACCEPT_ENCODING, accept)]).await;
            assert_eq!((header(&response, CONTENT_ENCODING), header(&response, ETAG)), ("", &*tag), "{accept}");
            assert_eq!(body(response).await.len(), whole);
        }
        for (_, suffix) in FORMS {
            assert_eq!(answer(&format!("{script}{suffix}"), &[]).await.status(), StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn a_compressed_file_has_the_content_of_the_plain_one() {
        let Some(script) = script() else { return };
        let whole = body(answer(&script, &[]).await).await;
        let packed = body(answer(&script, &[(ACCEPT_ENCODING, "gzip")]).await).await;
        // RFC 1952, section 2.3.1: the last four bytes are the length of what was compressed.
        assert_eq!(&packed[..2], [0x1f, 0x8b]);
        assert_eq!(packed[packed.len() - 4..], (whole.len() as u32).to_le_bytes());
    }

    #[test]
    fn the_content_security_policy_allows_the_style_of_the_page_without_the_demo() {
        let (_, rest) = NOT_BUILT.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(style)));
        assert!(http::OWN_FILES.to_str().unwrap().contains(&hash), "{hash}");
    }
}
