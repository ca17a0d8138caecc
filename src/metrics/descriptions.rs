//! The description of every metric, for `# HELP` and for the documentation.

use metrics::{Recorder, Unit};

/// One metric.
pub(super) struct Description {
    /// The metric's name. Counters end with `_total`, other metrics with their unit if they have one.
    name: &'static str,
    /// The metric's labels, separated by commas.
    #[cfg_attr(not(test), expect(dead_code, reason = "documents are written from it, by tests"))]
    labels: &'static str,
    /// The description: one or two sentences.
    help: &'static str,
}

/// All metrics, in the order of `docs/metrics.md`.
const DESCRIPTIONS: [Description; 20] = [
    Description { name: "sockeye_connections", labels: "", help: "Sockets connected now." },
    Description { name: "sockeye_away", labels: "", help: "Disconnected sockets that may be recovered." },
    Description { name: "sockeye_tcp_connections", labels: "", help: "TCP connections of any protocol." },
    Description { name: "sockeye_connects_total", labels: "", help: "Sockets that were accepted." },
    Description { name: "sockeye_refused_connections_total", labels: "code", help: "Sockets that were refused." },
    Description {
        name: "sockeye_recoveries_total",
        labels: "outcome",
        help: "Clients that asked for their socket. recovered: they got it; unknown: it no longer exists; lost: they missed more events than are kept; refused: it is another user's, or not available now; broken: the events they missed have broken their connection twice.",
    },
    Description {
        name: "sockeye_disconnects_total",
        labels: "reason",
        help: "Sockets that ended, by the reason: Socket.IO's reasons, and slow-consumer.",
    },
    Description {
        name: "sockeye_events_total",
        labels: "event,outcome",
        help: "Events from clients. The outcome is ok or an error code. Events without a handler have the name unknown.",
    },
    Description {
        name: "sockeye_handler_seconds",
        labels: "event",
        help: "Seconds from an event's arrival to its reply.",
    },
    Description {
        name: "sockeye_deliveries_total",
        labels: "",
        help: "Events and acknowledgements put into the queues of connected sockets and the logs of away ones.",
    },
    Description {
        name: "sockeye_queued_bytes",
        labels: "",
        help: "Unsent bytes of all clients; an event for many clients counts once.",
    },
    Description { name: "sockeye_largest_queue_bytes", labels: "", help: "Unsent bytes of the client with the most." },
    Description {
        name: "sockeye_memory_bytes",
        labels: "kind",
        help: "Bytes held for clients (limits.memory), each counted once. input: incomplete messages and requests; handshakes: long heads of requests, and long auths; events: events that are not answered yet; writes: writes that are not committed yet; output: packets in the queues of connections; logs: packets that only recovery logs hold; http: bodies of requests and responses.",
    },
    Description {
        name: "sockeye_limited_total",
        labels: "limit",
        help: "How often a limit of the configuration was reached.",
    },
    Description { name: "sockeye_http_requests_total", labels: "route,status", help: "Requests to the HTTP API." },
    Description { name: "sockeye_http_seconds", labels: "route", help: "Seconds a request to the HTTP API took." },
    Description { name: "sockeye_commit_batch_size", labels: "", help: "Writes in one commit." },
    Description { name: "sockeye_commit_seconds", labels: "", help: "Seconds a commit took." },
    Description {
        name: "sockeye_commit_failures_total",
        labels: "",
        help: "Commits that failed; their writes were answered unavailable.",
    },
    Description {
        name: "sockeye_read_failures_total",
        labels: "",
        help: "Reads of the database that failed; /ready fails for 10 s after each.",
    },
];

/// Registers the descriptions with a recorder.
pub(super) fn describe(recorder: &impl Recorder) {
    for Description { name, help, .. } in DESCRIPTIONS {
        recorder.describe_gauge(name.into(), None::<Unit>, help.into());
    }
}

/// The table of metrics in `docs/metrics.md`.
#[cfg(test)]
pub(crate) fn metrics_table() -> String {
    let mut table = String::from("| metric | |\n|---|---|\n");
    for Description { name, labels, help } in DESCRIPTIONS {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        table += &format!("| `{name}{labels}` | {help} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_description_and_every_description_a_metric() {
        let source = include_str!("../metrics.rs");
        let quoted = source.split('"').skip(1).step_by(2);
        let mut used: Vec<_> = quoted.filter(|text| text.starts_with("sockeye_")).collect();
        let mut described = DESCRIPTIONS.map(|description| description.name).to_vec();
        used.sort_unstable();
        used.dedup();
        described.sort_unstable();
        assert_eq!(described, used);
    }
}
