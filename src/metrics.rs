//! All metrics. Handles are created once. Without a metrics listener they do nothing.

mod descriptions;

use std::{sync::Arc, time::Duration};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

#[cfg(test)]
pub(crate) use descriptions::metrics_table;

use crate::error::Code;

/// Upper bounds of the duration histograms, in seconds.
const SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Upper bounds of the histogram of commit sizes, in writes.
const WRITES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The metrics' handles. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Option<Arc<Registry>>,
    /// `sockeye_connections`: sockets connected now.
    pub connections: Gauge,
    /// `sockeye_tcp_connections`: TCP connections of any protocol.
    pub tcp_connections: Gauge,
    /// `sockeye_connects_total`: sockets that were accepted.
    pub connects: Counter,
    /// `sockeye_commit_batch_size`: writes in one commit.
    pub commit_batch_size: Histogram,
    /// `sockeye_commit_seconds`: how long a commit took.
    pub commit_seconds: Histogram,
    /// `sockeye_commit_failures_total`: commits that failed; their writes were answered `unavailable`.
    pub failed_commits: Counter,
    /// `sockeye_read_failures_total`: reads of the database that failed.
    pub failed_reads: Counter,
    /// `sockeye_deliveries_total`: events and acknowledgements put into sockets' queues or logs.
    pub deliveries: Counter,
    /// `sockeye_away`: disconnected sockets that may be recovered.
    pub away: Gauge,
    /// `sockeye_queued_bytes`: unsent bytes of all clients.
    pub queued_bytes: Gauge,
    /// `sockeye_largest_queue_bytes`: unsent bytes of the client with the most.
    pub queued_bytes_largest: Gauge,
}

struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

/// The handles of one event.
pub struct EventMetrics {
    /// `sockeye_handler_seconds{event}`: from the event's arrival to its reply.
    pub handler_seconds: Histogram,
    /// `sockeye_events_total{event,outcome="ok"}`.
    pub done: Counter,
    /// `sockeye_events_total{event,outcome=<code>}`, in the order of [`Code::ALL`], and last that of the application's own errors.
    pub failed: [Counter; Code::ALL.len() + 1],
}

impl Metrics {
    /// Metrics that are recorded.
    pub fn on() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_batch_size".to_owned()), WRITES))
            .expect("there are buckets")
            .build_recorder();
        descriptions::describe(&recorder);
        let handle = recorder.handle();
        Self::with(Some(Arc::new(Registry { recorder, handle })))
    }

    /// Metrics that do nothing.
    pub fn off() -> Self {
        Self::with(None)
    }

    fn with(registry: Option<Arc<Registry>>) -> Self {
        let r = registry.as_deref();
        Self {
            connections: gauge(r, "sockeye_connections"),
            tcp_connections: gauge(r, "sockeye_tcp_connections"),
            connects: counter(r, "sockeye_connects_total", &[]),
            commit_batch_size: histogram(r, "sockeye_commit_batch_size", &[]),
            commit_seconds: histogram(r, "sockeye_commit_seconds", &[]),
            failed_commits: counter(r, "sockeye_commit_failures_total", &[]),
            failed_reads: counter(r, "sockeye_read_failures_total", &[]),
            deliveries: counter(r, "sockeye_deliveries_total", &[]),
            away: gauge(r, "sockeye_away"),
            queued_bytes: gauge(r, "sockeye_queued_bytes"),
            queued_bytes_largest: gauge(r, "sockeye_largest_queue_bytes"),
            registry,
        }
    }

    /// Creates the handles of an event, for the caller to keep. Must not be called with a name that a client chose.
    pub fn event(&self, name: &str) -> Arc<EventMetrics> {
        let r = self.registry.as_deref();
        let outcome = |outcome: &str| counter(r, "sockeye_events_total", &[("event", name), ("outcome", outcome)]);
        Arc::new(EventMetrics {
            handler_seconds: histogram(r, "sockeye_handler_seconds", &[("event", name)]),
            done: outcome("ok"),
            failed: std::array::from_fn(|index| outcome(Code::ALL.get(index).unwrap_or(&Code::Custom).as_str())),
        })
    }

    /// `sockeye_disconnects_total{reason}`, the reason being one of Socket.IO's.
    pub fn disconnected(&self, reason: &str) {
        counter(self.registry.as_deref(), "sockeye_disconnects_total", &[("reason", reason)]).increment(1);
    }

    /// `sockeye_recoveries_total{outcome}`: clients that asked for their socket. `recovered`: they got it. `unknown`: it
    /// no longer exists. `lost`: they missed more events than are kept. `refused`: it is another user's, or not
    /// available now. `broken`: the events they missed have broken their connection twice.
    pub fn recovered(&self, outcome: &str) {
        counter(self.registry.as_deref(), "sockeye_recoveries_total", &[("outcome", outcome)]).increment(1);
    }

    /// `sockeye_refused_connections_total{code}`.
    pub fn refused(&self, code: Code) {
        counter(self.registry.as_deref(), "sockeye_refused_connections_total", &[("code", code.as_str())]).increment(1);
    }

    /// `sockeye_limited_total{limit}`: how often a limit of the configuration was reached.
    pub fn limited(&self, limit: &str) {
        counter(self.registry.as_deref(), "sockeye_limited_total", &[("limit", limit)]).increment(1);
    }

    /// `sockeye_memory_bytes{kind}`: bytes held for clients, by purpose.
    pub fn holds(&self, kind: &'static str, bytes: usize) {
        let Some(registry) = self.registry.as_deref() else { return };
        let key = key("sockeye_memory_bytes", &[("kind", kind)]);
        registry.recorder.register_gauge(&key, &METADATA).set(bytes as f64);
    }

    /// `sockeye_http_requests_total{route,status}` and `sockeye_http_seconds{route}`: requests to the HTTP API. `route`
    /// must be the pattern of the route, not a path that a client chose.
    pub fn requested(&self, route: &str, status: &str, took: Duration) {
        let r = self.registry.as_deref();
        counter(r, "sockeye_http_requests_total", &[("route", route), ("status", status)]).increment(1);
        histogram(r, "sockeye_http_seconds", &[("route", route)]).record(took);
    }

    /// The text of `GET /metrics`, in Prometheus' format.
    pub fn render(&self) -> String {
        self.registry.as_ref().map(|registry| registry.handle.render()).unwrap_or_default()
    }

    /// Drains the histograms' buffers periodically; never ends. `None` if metrics are off.
    pub fn upkeep(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let registry = self.registry.clone()?;
        Some(async move {
            let mut interval = tokio::time::interval(Duration::from_secs(5));
            loop {
                interval.tick().await;
                registry.handle.run_upkeep();
            }
        })
    }
}

static METADATA: Metadata<'static> = Metadata::new("sockeye", Level::INFO, None);

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

fn counter(registry: Option<&Registry>, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
    registry.map_or_else(Counter::noop, |registry| registry.recorder.register_counter(&key(name, labels), &METADATA))
}

fn gauge(registry: Option<&Registry>, name: &'static str) -> Gauge {
    registry.map_or_else(Gauge::noop, |registry| registry.recorder.register_gauge(&key(name, &[]), &METADATA))
}

fn histogram(registry: Option<&Registry>, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
    registry
        .map_or_else(Histogram::noop, |registry| registry.recorder.register_histogram(&key(name, labels), &METADATA))
}
