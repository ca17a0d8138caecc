//! The parameters of Engine.IO in the query of a request's URI.

use http::Uri;

use super::version::Protocol;

/// The parameters of Engine.IO. If a parameter occurs twice, the last one counts, as in Node.
#[derive(Default)]
pub(super) struct Parameters {
    /// `polling` or `websocket`.
    pub(super) transport: Option<String>,
    /// The id of the session that the request belongs to. An empty one counts as absent.
    pub(super) sid: Option<String>,
    /// The version of Engine.IO.
    eio: Option<String>,
    /// The number of the JSONP callback. Only requests of JSONP have it.
    pub(super) j: Option<String>,
    /// Whether the client wants offsets. This parameter is sockeye's, not Engine.IO's.
    pub(super) recovery: Option<String>,
}

/// Whether a request asks for JSONP. The response is then a script, which a page of any origin may load.
pub(crate) fn asks_for_jsonp(uri: &Uri) -> bool {
    Parameters::of(uri).j.is_some()
}

/// Whether a request names a session, known or unknown.
pub(crate) fn names_a_session(uri: &Uri) -> bool {
    Parameters::of(uri).sid.is_some()
}

impl Parameters {
    /// Reads the query of a URI.
    pub(super) fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        let fields: Vec<(String, String)> = serde_urlencoded::from_str(text).expect("every text is a query");
        let mut parameters = Self::default();
        for (name, value) in fields {
            let field = match name.as_str() {
                "transport" => &mut parameters.transport,
                "sid" => &mut parameters.sid,
                "EIO" => &mut parameters.eio,
                "j" => &mut parameters.j,
                "recovery" => &mut parameters.recovery,
                _ => continue,
            };
            *field = Some(value);
        }
        parameters.sid = parameters.sid.filter(|sid| !sid.is_empty());
        parameters
    }

    /// The version of Engine.IO. As in Node, every value except 4 means version 3, and so does a missing value: some
    /// old clients send none.
    pub(super) fn protocol(&self) -> Protocol {
        if self.eio.as_deref() == Some("4") { Protocol::V4 } else { Protocol::V3 }
    }
}
