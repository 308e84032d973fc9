//! The Prometheus endpoint: `GET /metrics` over HTTP/1.1, on the address of `[metrics]` and nowhere else.
//!
//! A scrape asks the chassis thread for the same snapshot as `show` does, and the rest is made beside it: a client that hangs
//! or floods costs a task, of which there are [`CLIENTS`] at the most, and no Hello.

mod table;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use srp_core::config::MetricsConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use crate::answer::Answers;

pub use table::{Facts, MetricsError, text};

/// Clients served at a time; more wait to be accepted.
const CLIENTS: usize = 8;

/// A client that is silent for longer, or does not read, is let go.
const PATIENCE: Duration = Duration::from_secs(30);

/// The endpoint; ends with its value.
#[derive(Default)]
pub struct Endpoint {
    serving: Option<(MetricsConfig, AbortHandle)>,
}

/// A socket that is open, and not served yet.
pub enum Listening {
    /// The one that is served already, or none as before.
    Same,
    /// None from here on.
    Nowhere,
    /// This one.
    On(MetricsConfig, TcpListener),
}

/// The address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot serve metrics on {address}: {source}; correct [metrics], or give the address to an interface"
)]
pub struct AddressError {
    /// The address and port.
    pub address: SocketAddr,
    /// What the system said.
    source: io::Error,
}

impl Endpoint {
    /// One that serves nothing yet, and the socket that the configuration wants.
    pub async fn new(wanted: Option<&MetricsConfig>) -> Result<(Self, Listening), AddressError> {
        let endpoint = Self::default();
        let listening = endpoint.listen(wanted).await?;
        Ok((endpoint, listening))
    }

    /// Opens the socket that the configuration wants. What is served stays as it is.
    pub async fn listen(&self, wanted: Option<&MetricsConfig>) -> Result<Listening, AddressError> {
        if self.serving.as_ref().map(|(config, _)| config) == wanted {
            return Ok(Listening::Same);
        }
        let Some(config) = wanted else { return Ok(Listening::Nowhere) };
        let address = SocketAddr::new(config.address, config.port);
        let listener = TcpListener::bind(address).await.map_err(|source| AddressError { address, source })?;
        Ok(Listening::On(*config, listener))
    }

    /// Serves there, and nowhere else.
    pub fn serve(&mut self, listening: Listening, answers: &Arc<Answers>) {
        let new = match listening {
            Listening::Same => return,
            Listening::Nowhere => None,
            Listening::On(config, listener) => {
                info!(address = %config.address, port = config.port, "metrics are served");
                let task = tokio::spawn(serve(listener, Arc::clone(answers)));
                Some((config, task.abort_handle()))
            }
        };
        if let Some((_, old)) = std::mem::replace(&mut self.serving, new) {
            old.abort();
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.serving {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((client, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    match tokio::time::timeout(PATIENCE, serve_client(client, &answers)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => debug!(%error, "metrics client let go"),
                        Err(_) => debug!("metrics client let go: it took too long"),
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "metrics");
                // Out of descriptors, most likely: accepting again at once would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_client(client: TcpStream, answers: &Answers) -> hyper::Result<()> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(32)
        .keep_alive(false)
        .serve_connection(TokioIo::new(client), service_fn(|request| answer(request, answers)))
        .await
}

async fn answer(
    request: Request<Incoming>,
    answers: &Answers,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let plain = |status: StatusCode, text: String| {
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response
    };
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match answers.metrics().await {
            Ok(text) => {
                let mut response = plain(StatusCode::OK, text);
                let kind = hyper::header::HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        (_, "/metrics") => plain(StatusCode::METHOD_NOT_ALLOWED, "GET /metrics\n".into()),
        (_, _) => plain(StatusCode::NOT_FOUND, "GET /metrics\n".into()),
    })
}
