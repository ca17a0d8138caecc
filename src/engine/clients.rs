//! Decides which clients are sent offsets. Only these clients can be recovered.
//!
//! An offset is an additional last argument of each event. JavaScript's client removes it before it calls a handler.
//! Handlers in Java and Swift read arguments by position, so an additional one does no harm. Other clients fail:
//! python-socketio's handlers raise, rust_socketio loses binary events, Dart's data becomes a list. Clients do not send
//! their names, so the headers and the query of the first request decide. An unrecognised client is sent no offsets.

use http::{
    HeaderMap,
    header::{ACCEPT_LANGUAGE, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, USER_AGENT},
};

use crate::config::RecoveryClients;

/// User agents of JavaScript clients other than browsers: Node's polling, and runtimes with a built-in WebSocket and
/// `fetch`. A name that ends in `/` is followed by a version.
const RUNTIMES: [&str; 5] = ["node-XMLHttpRequest", "node", "undici", "Bun/", "Deno/"];
/// Parts of the user agents of clients whose handlers read arguments by position: React Native, Java and Swift.
const BY_POSITION: [&str; 2] = ["okhttp/", "CFNetwork/"];
/// The extensions that Node's WebSockets offer (npm `ws`), without spaces. These WebSockets send no user agent.
const NODE_EXTENSIONS: &str = "permessage-deflate;client_max_window_bits";

/// The client's choice, in the parameter `recovery` of the query. `None` if it is absent or has another value, since an
/// application may use a parameter of this name.
pub(super) fn choice(value: Option<&str>) -> Option<bool> {
    match value? {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a client of Engine.IO 4 that made no choice is sent offsets.
pub(super) fn are_offsets_sent(clients: RecoveryClients, query: &str, headers: &HeaderMap, is_websocket: bool) -> bool {
    match clients {
        RecoveryClients::All => true,
        RecoveryClients::None => false,
        RecoveryClients::Auto => are_offsets_harmless(query, headers, is_websocket),
    }
}

/// Whether offsets do no harm to the client.
fn are_offsets_harmless(query: &str, headers: &HeaderMap, is_websocket: bool) -> bool {
    let Some(agent) = headers.get(USER_AGENT) else {
        return is_in_javascripts_order(query) && (headers.contains_key(ORIGIN) || are_node_extensions(headers));
    };
    let Ok(agent) = agent.to_str() else { return false };
    if BY_POSITION.iter().any(|name| agent.contains(name)) {
        return true;
    }
    // A user agent like a browser's is not enough, since other clients send it too. Only browsers also send an Origin
    // with every WebSocket handshake (RFC 6455, section 4.1), and Accept-Language with every request.
    let browsers_header = if is_websocket { ORIGIN } else { ACCEPT_LANGUAGE };
    let is_browser = agent.starts_with("Mozilla/5.0 (") && headers.contains_key(browsers_header);
    let is_runtime = RUNTIMES.iter().any(|name| match name.strip_suffix('/') {
        Some(_) => agent.starts_with(name),
        None => agent == *name,
    });
    (is_browser || is_runtime) && is_in_javascripts_order(query)
}

/// Whether `EIO` comes before `transport`, as in the queries of JavaScript's client, which begin with the application's
/// own parameters. python-socketio's queries begin with `transport`, also when it sends another user agent.
fn is_in_javascripts_order(query: &str) -> bool {
    let place = |name: &str| query.split('&').position(|pair| pair.split('=').next() == Some(name));
    matches!((place("EIO"), place("transport")), (Some(version), Some(transport)) if version < transport)
}

/// Whether the offered extensions are those of Node's WebSockets.
fn are_node_extensions(headers: &HeaderMap) -> bool {
    let Some(offered) = headers.get(SEC_WEBSOCKET_EXTENSIONS) else { return false };
    // A proxy may have changed the spaces.
    offered.as_bytes().iter().filter(|byte| **byte != b' ').eq(NODE_EXTENSIONS.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SAFARI: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    const JAVASCRIPT: &str = "token=x&EIO=4&transport=websocket";
    const PYTHON: &str = "transport=websocket&EIO=4&t=1764131000.5";

    fn is_sent(query: &str, headers: &[(&'static str, &'static str)], is_websocket: bool) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        are_offsets_sent(RecoveryClients::Auto, query, &headers.collect(), is_websocket)
    }

    #[test]
    fn clients_that_tolerate_offsets_are_sent_them() {
        let (origin, agent) = (("origin", "https://app.example.com"), "user-agent");
        assert!(is_sent(JAVASCRIPT, &[origin, (agent, SAFARI)], true), "a browser's WebSocket");
        let languages = ("accept-language", "de");
        assert!(is_sent("EIO=4&transport=polling&t=a1", &[(agent, SAFARI), languages], false), "its polling");
        assert!(is_sent(JAVASCRIPT, &[(agent, "node-XMLHttpRequest")], false), "Node, polling");
        for offered in ["permessage-deflate; client_max_window_bits", NODE_EXTENSIONS] {
            assert!(is_sent(JAVASCRIPT, &[("sec-websocket-extensions", offered)], true), "Node's WebSocket");
        }
        for runtime in ["node", "undici", "Bun/1.2.3", "Deno/2.1.4"] {
            assert!(is_sent(JAVASCRIPT, &[(agent, runtime)], true), "{runtime}");
        }
        assert!(is_sent(JAVASCRIPT, &[(agent, "okhttp/4.12.0")], true), "React Native and Java, on Android");
        assert!(
            is_sent(PYTHON, &[(agent, "Chat/1 CFNetwork/1474 Darwin/23.0.0")], false),
            "React Native and Swift, on iOS"
        );
        assert!(is_sent("EIO=4&transport=websocket", &[origin], true), "React Native's WebSocket on iOS");
    }

    #[test]
    fn all_other_clients_are_sent_no_offsets() {
        let agent = "user-agent";
        for query in [JAVASCRIPT, PYTHON] {
            assert!(!is_sent(query, &[], true), "rust_socketio, C#");
            assert!(!is_sent(query, &[], false));
            for name in
                ["python-requests/2.32.3", "Python/3.11 aiohttp/3.11.9", "Dart/3.5 (dart:io)", "Mozilla/5.0", "curl/8"]
            {
                assert!(!is_sent(query, &[(agent, name)], false), "{name}");
                let offers = ("sec-websocket-extensions", NODE_EXTENSIONS);
                assert!(!is_sent(query, &[(agent, name), offers, ("origin", "http://x")], true), "{name}");
            }
        }
        assert!(!is_sent(PYTHON, &[("origin", "http://127.0.0.1:8000")], true), "python-socketio's WebSocket");
        assert!(
            !is_sent(PYTHON, &[(agent, SAFARI), ("origin", "http://x")], true),
            "python-socketio with a browser's user agent"
        );
        assert!(!is_sent(JAVASCRIPT, &[(agent, SAFARI)], true), "a WebSocket without an Origin is not a browser's");
        assert!(!is_sent(JAVASCRIPT, &[(agent, SAFARI)], false), "a request without languages is not a browser's");
        assert!(!is_sent(JAVASCRIPT, &[("sec-websocket-extensions", "permessage-deflate")], true));
        for query in ["", "EIO=4", "transport=websocket", "xEIO=4&transport=websocket"] {
            assert!(!is_sent(query, &[(agent, "node-XMLHttpRequest")], false), "{query}");
        }
    }

    #[test]
    fn the_setting_may_decide_for_all_clients() {
        let headers = HeaderMap::new();
        assert!(are_offsets_sent(RecoveryClients::All, PYTHON, &headers, true));
        assert!(!are_offsets_sent(RecoveryClients::None, JAVASCRIPT, &headers, true));
        assert_eq!(choice(Some("1")), Some(true));
        assert_eq!(choice(Some("false")), Some(false));
        assert_eq!(choice(None), None);
        for other in ["", "yes", "TRUE", "2"] {
            assert_eq!(choice(Some(other)), None, "{other}");
        }
    }
}
