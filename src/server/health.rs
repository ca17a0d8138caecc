//! `/health` and `/ready`, for load balancers and service managers.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};
use http::StatusCode;

use crate::app::App;

/// `/health`: the process responds. `/ready`: in addition the store responds, all background tasks run, and the server
/// is not shutting down.
pub(super) fn routes(app: &Arc<App>) -> Router {
    Router::new().route("/health", get(|| async { "ok\n" })).route("/ready", get(ready)).with_state(app.clone())
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.supervisor.failure().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "a part of the server has failed\n");
    }
    if app.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "closing\n");
    }
    if !app.is_store_ready().await {
        return (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n");
    }
    (StatusCode::OK, "ready\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{
        Router,
        body::{Body, to_bytes},
    };
    use http::Request;
    use tokio::net::TcpListener;
    use tower::ServiceExt;

    use crate::{config::Config, server::Server};

    /// The background tasks, without the store's threads, which have tests of their own.
    const TASKS: [&str; 12] = [
        "flusher-0",
        "timers",
        "relief",
        "memory",
        "publisher",
        "metrics-upkeep",
        "presence",
        "typing",
        "retention",
        "token-expiry",
        "metrics-listener",
        "accepting",
    ];

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_task_in_the_background_ends_the_server_when_it_panics() {
        for task in TASKS {
            let folder = tempfile::tempdir().unwrap();
            let mut config = Config::default();
            config.store.path = folder.path().to_owned();
            config.server.drain = Duration::ZERO;
            let server = Server::new(config).metrics_on(listener().await).open().unwrap();
            let (router, supervisor) = (
                super::super::routes::routes(&server.app, server.keeper.replies.clone(), Router::new()),
                server.app.supervisor.clone(),
            );
            let ready = async || {
                let response =
                    router.clone().oneshot(Request::get("/ready").body(Body::empty()).unwrap()).await.unwrap();
                let status = response.status().as_u16();
                (status, to_bytes(response.into_body(), 100).await.unwrap())
            };
            assert_eq!(ready().await, (200, "ready\n".into()));
            let serving = tokio::spawn(server.serve(listener().await, Router::new(), std::future::pending()));
            while !supervisor.tasks().iter().any(|name| name == "accepting") {
                tokio::task::yield_now().await;
            }
            let unknown: Vec<_> = supervisor
                .tasks()
                .into_iter()
                .filter(|name| !TASKS.contains(&&**name) && !name.starts_with("flusher-"))
                .collect();
            assert!(unknown.is_empty(), "not in TASKS: {unknown:?}");
            supervisor.sabotage(task);
            let ended = tokio::time::timeout(Duration::from_secs(30), serving).await.expect(task).unwrap();
            let error = ended.unwrap_err().to_string();
            assert_eq!(error, format!("the server could not go on: {task} panicked: as a bug would"));
            assert_eq!(ready().await, (503, "a part of the server has failed\n".into()), "{task}");
        }
    }
}
