//! The port: connections are many, the simulation is one. It has a thread for itself, which takes one request after the other.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use tokio::sync::{mpsc as channel, oneshot};

use super::answer::Answer;
use super::endpoint::{Endpoint, Reply};
use super::pace::{Pace, Speed};
use super::request::HttpRequest;
use super::watches::Watch;

/// Longest body that is read, as upstream (`MaxRequestBodyBytes`).
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Most watches at once.
const WATCHES_MAX: usize = 10_000;

/// Why a server did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken, or not ours.
    #[error("cannot listen: {0}")]
    Listen(#[source] std::io::Error),
    /// The system refuses what a server needs.
    #[error("cannot serve: {0}")]
    Serve(#[source] std::io::Error),
}

/// A port at which the API of a simulated cluster is.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// What the thread of the simulation is told.
enum Call {
    Request { request: Box<HttpRequest>, reply: oneshot::Sender<Told> },
    Stop,
}

/// What it answers.
enum Told {
    Whole(Answer),
    /// News as they come, at most for so long.
    Watch(channel::UnboundedReceiver<String>, Option<Duration>),
}

impl Server {
    /// Takes a port; with port 0, any that is free.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let listener = TcpListener::bind(address).map_err(ServerError::Listen)?;
        listener.set_nonblocking(true).map_err(ServerError::Listen)?;
        let address = listener.local_addr().map_err(ServerError::Listen)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process is interrupted (SIGINT, SIGTERM), and gives the endpoint back.
    ///
    /// # Errors
    /// If the system refuses a thread or a signal handler.
    pub fn run<'a>(self, endpoint: Endpoint<'a>, speed: Speed) -> Result<Endpoint<'a>, ServerError> {
        let (calls, inbox) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Serve)?;
        let listener = self.listener;
        let front = thread::Builder::new().name("http".to_owned()).spawn(move || {
            let stop = calls.clone();
            let served = runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let app = Router::new().fallback(move |request: Request<Body>| {
                    let calls = calls.clone();
                    async move { handle(request, &calls).await }
                });
                tokio::select! {
                    served = axum::serve(listener, app) => served,
                    interrupted = interruption() => interrupted,
                }
            });
            // Nobody is there to be told any more, if this fails.
            drop(stop.send(Call::Stop));
            served
        });
        let front = front.map_err(ServerError::Serve)?;
        let endpoint = Host { endpoint, watches: Vec::new(), speed }.run(&inbox);
        match front.join() {
            Ok(served) => served.map_err(ServerError::Serve)?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(endpoint)
    }
}

#[cfg(unix)]
async fn interruption() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interruption() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// The simulation, on its thread.
struct Host<'a> {
    endpoint: Endpoint<'a>,
    watches: Vec<(Watch, channel::UnboundedSender<String>)>,
    speed: Speed,
}

impl<'a> Host<'a> {
    fn run(mut self, inbox: &mpsc::Receiver<Call>) -> Endpoint<'a> {
        let mut pace = Pace::new(self.speed, self.endpoint.simulation().now());
        loop {
            match inbox.recv_timeout(pace.tick()) {
                Ok(Call::Request { request, reply }) => {
                    self.pass(&mut pace);
                    let before = self.endpoint.simulation().now();
                    self.take(&request, reply);
                    let now = self.endpoint.simulation().now();
                    if now != before {
                        pace.start_over(now);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.pass(&mut pace),
                Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return self.endpoint,
            }
            self.tell_watches();
        }
    }

    fn pass(&mut self, pace: &mut Pace) {
        let due = pace.due(self.endpoint.simulation().now());
        if !due.is_zero() {
            self.endpoint.advance(due);
        }
    }

    fn take(&mut self, request: &HttpRequest, reply: oneshot::Sender<Told>) {
        let told = match self.endpoint.answer(request) {
            Reply::Whole(answer) => Told::Whole(answer),
            Reply::Watch(_) if self.watches.len() >= WATCHES_MAX => {
                Told::Whole(Answer::failure(429, "TooManyRequests", format!("there are {WATCHES_MAX} watches already")))
            }
            Reply::Watch(watch) => {
                let (news, reader) = channel::unbounded_channel();
                let timeout = watch.timeout_seconds().map(Duration::from_secs);
                self.watches.push((watch, news));
                Told::Watch(reader, timeout)
            }
        };
        // The client may have gone.
        drop(reply.send(told));
    }

    /// Tells all watches what is new, and forgets those that nobody reads. While the API server is down there are none.
    fn tell_watches(&mut self) {
        let sim = self.endpoint.simulation();
        if sim.api_server_answers().is_err() {
            self.watches.clear();
        }
        self.watches.retain_mut(|(watch, news)| {
            let told = watch.news(sim);
            if told.is_empty() { !news.is_closed() } else { news.send(told).is_ok() }
        });
    }
}

async fn handle(request: Request<Body>, calls: &mpsc::Sender<Call>) -> Response<Body> {
    let request = match read(request).await {
        Ok(request) => request,
        Err(refusal) => return whole(refusal),
    };
    let (reply, told) = oneshot::channel();
    let gone = || whole(Answer::failure(503, "ServiceUnavailable", "the simulation has ended"));
    if calls.send(Call::Request { request: Box::new(request), reply }).is_err() {
        return gone();
    }
    match told.await {
        Ok(Told::Whole(answer)) => whole(answer),
        Ok(Told::Watch(news, timeout)) => stream(news, timeout),
        Err(_) => gone(),
    }
}

async fn read(request: Request<Body>) -> Result<HttpRequest, Answer> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let message = format!("the body of the request is larger than {BODY_BYTES_MAX} bytes, or broke off");
        Answer::failure(413, "RequestEntityTooLarge", message)
    })?;
    let text = |name: header::HeaderName| {
        let values = head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.collect::<Vec<_>>().join(",")
    };
    let query = head.uri.query().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned();
    Ok(HttpRequest {
        method: head.method.as_str().to_owned(),
        path: decoded,
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        accept: text(header::ACCEPT),
        content_type: text(header::CONTENT_TYPE),
        body: body.to_vec(),
    })
}

fn whole(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(answer.content_type));
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    for warning in &answer.warnings {
        // `NewWarningHeader(299, "-", warning)`; fields that a user filled may hold what no header can.
        let quoted = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
        if let Ok(value) = header::HeaderValue::from_str(&quoted) {
            headers.append(header::WARNING, value);
        }
    }
    response
}

fn stream(news: channel::UnboundedReceiver<String>, timeout: Option<Duration>) -> Response<Body> {
    let end = timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout)));
    let chunks = futures_util::stream::unfold((news, end), |(mut news, mut end)| async move {
        let chunk = match &mut end {
            None => news.recv().await,
            Some(end) => tokio::select! {
                chunk = news.recv() => chunk,
                () = end.as_mut() => None,
            },
        }?;
        Some((Ok::<Bytes, std::convert::Infallible>(chunk.into()), (news, end)))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
