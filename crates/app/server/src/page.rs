//! The window in a browser: its files, and who may speak through it.

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use tower_http::services::ServeDir;

const COOKIE: &str = "pilothouse";
/// No inline script, no other host; the charts set styles on elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Says whether a request carries the token, as a header or as the cookie.
pub fn admitted(headers: &HeaderMap, token: &str) -> bool {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let bearer = text(header::AUTHORIZATION).is_some_and(|v| v.strip_prefix("Bearer ").is_some_and(|t| same(t, token)));
    let cookies = text(header::COOKIE).unwrap_or_default().split("; ").filter_map(|c| c.split_once('='));
    bearer || cookies.filter(|(name, _)| *name == COOKIE).any(|(_, value)| same(value, token))
}

/// Compares in a time that does not tell where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

/// Says whether a request was meant for us: under our address, or as `localhost`; and whether the page that sent it, if any, is ours.
pub fn names_us(headers: &HeaderMap, bound: SocketAddr) -> bool {
    let ours = [bound.to_string(), format!("localhost:{}", bound.port())];
    let text = |name| headers.get(name).map(|v: &HeaderValue| v.to_str().unwrap_or_default());
    let host = text(header::HOST).is_some_and(|h| ours.iter().any(|o| o == h));
    let origin = text(header::ORIGIN).is_none_or(|o| ours.iter().any(|ours| o.strip_prefix("http://") == Some(ours)));
    host && origin
}

#[derive(Deserialize)]
struct First {
    token: Option<String>,
}

/// Adds the window's files to the commands.
pub fn with_files(commands: Router, ui: Option<PathBuf>, token: String) -> Router {
    let Some(ui) = ui else { return commands };
    let index = ui.join("index.html");
    let first = move |Query(first): Query<First>| {
        let (token, index) = (token.clone(), index.clone());
        async move {
            match first.token {
                Some(given) if same(&given, &token) => {
                    let cookie = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/");
                    // the token does not stay in the address bar
                    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
                }
                _ => match tokio::fs::read(&index).await {
                    Ok(page) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(),
                    Err(error) => {
                        format!("the window is not built: cannot read {}: {error}; run `make ui`", index.display()).into_response()
                    }
                },
            }
        }
    };
    commands.route("/", get(first)).fallback_service(ServeDir::new(ui)).layer(middleware::from_fn(with_policy))
}

async fn with_policy(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn the_token_admits_as_header_or_cookie_and_nothing_else_does() {
        assert!(admitted(&headers(&[(header::AUTHORIZATION, "Bearer abc")]), "abc"));
        assert!(admitted(&headers(&[(header::COOKIE, "x=1; pilothouse=abc")]), "abc"));
        for wrong in ["pilothouse=abd", "other=abc", "pilothouse=", "pilothouse=abcd"] {
            assert!(!admitted(&headers(&[(header::COOKIE, wrong)]), "abc"), "{wrong}");
        }
        assert!(!admitted(&HeaderMap::new(), "abc"));
    }

    #[test]
    fn another_name_or_another_page_is_not_us() {
        let bound = "127.0.0.1:8080".parse().unwrap();
        assert!(names_us(&headers(&[(header::HOST, "127.0.0.1:8080")]), bound));
        assert!(names_us(&headers(&[(header::HOST, "localhost:8080"), (header::ORIGIN, "http://localhost:8080")]), bound));
        assert!(!names_us(&headers(&[(header::HOST, "evil.example:8080")]), bound));
        assert!(!names_us(&headers(&[(header::HOST, "127.0.0.1:8080"), (header::ORIGIN, "http://evil.example")]), bound));
        assert!(!names_us(&HeaderMap::new(), bound));
    }
}
