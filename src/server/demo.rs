//! The demo's files, built into the binary.

use ::http::{
    HeaderMap, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::http;

#[derive(RustEmbed)]
#[folder = "client-demo/dist"]
#[allow_missing = true]
struct Files;

/// Its style is named in the pages' Content-Security-Policy by its hash.
const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>sockeye</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>sockeye is running</h1>
<p>Socket.IO clients can connect to this address. The demo is not part of this build: run <code>make run</code>,
or build it with <code>npm ci && npm run build</code> in <code>client-demo</code> and start the server again.</p>
"#;

pub(super) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    http::guarded(http::OWN_FILES, find(&uri, &headers))
}

fn find(uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(file) = Files::get(path) else {
        return match path {
            "index.html" => Html(NOT_BUILT).into_response(),
            _ => (StatusCode::NOT_FOUND, "not found\n").into_response(),
        };
    };
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hash}\"");
    // Vite puts a hash into the names of assets: they never change.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response();
    }
    let content_type = file.metadata.mimetype().to_owned();
    let headers = [(CONTENT_TYPE, content_type), (ETAG, etag), (CACHE_CONTROL, cache.to_owned())];
    (headers, file.data).into_response()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_of_pages_knows_the_style_of_the_page_without_the_demo() {
        let (_, rest) = NOT_BUILT.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(style)));
        assert!(http::OWN_FILES.to_str().unwrap().contains(&hash), "{hash}");
    }
}
