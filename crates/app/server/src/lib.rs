//! The engine's door: the use cases of `api` over a Unix socket (mode 0600, always) and, when asked for, over loopback HTTP with a token.
//!
//! `POST /rpc/<command>` takes and gives JSON; `GET /events` streams JSON Lines as events happen; everything else is the window's files.
//! On the Unix socket the operator is whoever the kernel says is at the other end; over TCP the token's holder acts as the engine's user.
//! A browser gets the token once, as `/?token=…`, and holds it in a cookie that scripts cannot read and other sites cannot send.

mod client;
mod page;

pub use client::Client;

use api::{Api, ApiError};
use axum::body::{Body, Bytes};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest request body, bytes; a change file is a few kilobytes.
const BODY_MAX: usize = 1 << 20;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The Unix socket could not be made.
    #[error("cannot listen on {path}")]
    Socket {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The TCP address could not be bound.
    #[error("cannot listen on {address}; is it in use?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Only loopback is served.
    #[error("{0} is not a loopback address; put a reverse proxy with its own authentication in front instead")]
    NotLoopback(SocketAddr),
    /// The token file could not be written.
    #[error("cannot write the token file {path}")]
    Token {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Bound TCP address, when asked for.
    pub tcp: Option<SocketAddr>,
    /// What a browser opens; holds the token. `None` where no window is served.
    pub link: Option<String>,
}

/// How TCP is served.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Loopback address; port 0 takes any.
    pub address: SocketAddr,
    /// Folder with the built window; `None`: only the commands are served.
    pub ui: Option<PathBuf>,
}

impl Server {
    /// Opens `<folder>/engine.sock` and, when given, the TCP address.
    ///
    /// # Errors
    /// [`ServerError`] saying what could not be opened.
    pub async fn start(api: Api, folder: &FilePath, listen: Option<Listen>) -> Result<Self, ServerError> {
        let (stop, stopped) = watch::channel(false);
        let socket = folder.join("engine.sock");
        let mut tasks = vec![serve_unix(&socket, routes(api.clone()), stopped.clone())?];
        let mut tcp = None;
        let mut link = None;
        if let Some(listen) = listen {
            let window = listen.ui.is_some();
            let (task, bound, token) = serve_tcp(folder, listen, routes(api), stopped).await?;
            tasks.push(task);
            tcp = Some(bound);
            link = window.then(|| format!("http://{bound}/?token={token}"));
        }
        Ok(Self { socket, stop, tasks, tcp, link })
    }

    /// Closes every door and waits for requests under way.
    pub async fn stop(self) {
        // nobody left to tell is as good as told
        let _ = self.stop.send(true);
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Who is at the other end.
#[derive(Clone, Debug)]
struct Caller(String);

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(match stream.io().peer_cred() {
            Ok(c) => runtime::operator_of_uid(c.uid()),
            Err(_) => "unknown".to_owned(),
        })
    }
}

fn routes(api: Api) -> Router {
    Router::new()
        .route("/rpc/{command}", post(rpc))
        .route("/events", get(events))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
}

fn serve_unix(socket: &FilePath, routes: Router, mut stopped: watch::Receiver<bool>) -> Result<JoinHandle<()>, ServerError> {
    let fail = |source| ServerError::Socket { path: socket.to_owned(), source };
    // the data folder's lock is held by now: a socket that is still here belongs to a dead engine
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).map_err(fail)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(socket, mode).map_err(fail)?;
    let service = routes.into_make_service_with_connect_info::<Caller>();
    Ok(tokio::spawn(async move {
        let done = axum::serve(listener, service).with_graceful_shutdown(async move {
            let _ = stopped.changed().await;
        });
        if let Err(error) = done.await {
            tracing::error!(%error, "Unix socket server ended");
        }
    }))
}

async fn serve_tcp(
    folder: &FilePath,
    listen: Listen,
    routes: Router,
    mut stopped: watch::Receiver<bool>,
) -> Result<(JoinHandle<()>, SocketAddr, String), ServerError> {
    let address = listen.address;
    if !address.ip().is_loopback() {
        return Err(ServerError::NotLoopback(address));
    }
    let token = api::fresh_token(folder).map_err(|source| ServerError::Token { path: folder.join("token"), source })?;
    let fail = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    let me = Caller(runtime::operator_of_uid(runtime::own_uid()));
    let known = token.clone();
    let guarded = routes.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        let (token, me) = (known.clone(), me.clone());
        async move {
            if !page::admitted(request.headers(), &token) {
                return refuse(
                    StatusCode::UNAUTHORIZED,
                    &ApiError::new("PH-API-401", "this needs the token of the data folder's `token` file"),
                );
            }
            request.extensions_mut().insert(ConnectInfo(me));
            next.run(request).await
        }
    }));
    // what is asked under another name than ours comes from another site that points at us (DNS rebinding)
    let whole =
        page::with_files(guarded, listen.ui, token.clone()).layer(middleware::from_fn(move |request: Request, next: Next| async move {
            if page::names_us(request.headers(), bound) {
                next.run(request).await
            } else {
                refuse(
                    StatusCode::MISDIRECTED_REQUEST,
                    &ApiError::new("PH-API-421", format!("this is {bound}, and answers under no other name")),
                )
            }
        }));
    let task = tokio::spawn(async move {
        let done = axum::serve(listener, whole).with_graceful_shutdown(async move {
            let _ = stopped.changed().await;
        });
        if let Err(error) = done.await {
            tracing::error!(%error, "HTTP server ended");
        }
    });
    Ok((task, bound, token))
}

async fn rpc(State(api): State<Api>, ConnectInfo(caller): ConnectInfo<Caller>, Path(command): Path<String>, body: Bytes) -> Response {
    match api.call(&caller.0, &command, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
    }
}

async fn events(State(api): State<Api>) -> Response {
    let stream = api.event_lines();
    Response::builder()
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .body(Body::from_stream(stream))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn refuse(status: StatusCode, error: &ApiError) -> Response {
    (status, Json(error)).into_response()
}
