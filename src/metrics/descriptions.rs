//! The description of every metric, for `# HELP` and for the documentation.

use metrics::{Recorder, Unit};

/// One metric.
pub(super) struct Description {
    /// Its name. Counters end with `_total`, everything else with its unit if it has one.
    name: &'static str,
    /// Its labels, with commas between them.
    #[cfg_attr(not(test), expect(dead_code, reason = "documents are written from it, by tests"))]
    labels: &'static str,
    /// A sentence or two.
    help: &'static str,
}

/// All of them, in the order of the README.
const DESCRIPTIONS: [Description; 20] = [
    Description { name: "sockeye_connections", labels: "", help: "Sockets connected now." },
    Description { name: "sockeye_away", labels: "", help: "Sockets whose clients have gone and may come back." },
    Description { name: "sockeye_tcp_connections", labels: "", help: "TCP connections, whatever is spoken on them." },
    Description { name: "sockeye_connects_total", labels: "", help: "Sockets that were let in." },
    Description { name: "sockeye_refused_connections_total", labels: "code", help: "Sockets that were not let in." },
    Description {
        name: "sockeye_recoveries_total",
        labels: "outcome",
        help: "Clients that came back. recovered: to their socket; unknown: there was none any more; lost: they had missed more than was kept; refused: it was not theirs, or could not be had then; broken: what they had missed has broken their connection twice.",
    },
    Description {
        name: "sockeye_disconnects_total",
        labels: "reason",
        help: "Sockets that ended, under Socket.IO's reasons and slow-consumer.",
    },
    Description {
        name: "sockeye_events_total",
        labels: "event,outcome",
        help: "Events that arrived. The outcome is ok or an error code; what no handler is for is the event unknown.",
    },
    Description {
        name: "sockeye_handler_seconds",
        labels: "event",
        help: "Seconds from an event's arrival to its reply.",
    },
    Description {
        name: "sockeye_deliveries_total",
        labels: "",
        help: "Events and acknowledgements put into sockets' queues, or kept for those that are away.",
    },
    Description {
        name: "sockeye_queued_bytes",
        labels: "",
        help: "Bytes that wait for all clients; what many of them get counts once.",
    },
    Description {
        name: "sockeye_largest_queue_bytes",
        labels: "",
        help: "Bytes that wait for the client for which most do.",
    },
    Description {
        name: "sockeye_memory_bytes",
        labels: "kind",
        help: "Bytes held for clients (limits.memory), each counted once. input: messages and requests that have not arrived whole; handshakes: long queries and auths; events: not answered; writes: not committed; output: packets in the queues of connections; logs: packets that only recovery logs hold; http: bodies of requests and responses.",
    },
    Description {
        name: "sockeye_limited_total",
        labels: "limit",
        help: "How often a limit of the configuration said no.",
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
        help: "Reads of the database that failed; for 10 s after one, /ready fails.",
    },
];

/// Registers the descriptions with a recorder.
pub(super) fn describe(recorder: &impl Recorder) {
    for Description { name, help, .. } in DESCRIPTIONS {
        recorder.describe_gauge(name.into(), None::<Unit>, help.into());
    }
}

/// The README's table of metrics, in Markdown.
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
    fn every_metric_is_described_and_every_description_is_of_one() {
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
