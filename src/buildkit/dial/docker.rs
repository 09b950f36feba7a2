//! A Docker daemon's HTTP API on its socket, as far as ways to a BuildKit need it: connections that are upgraded, and
//! short calls in JSON.
//!
//! Paths carry no API version: every engine takes them, and each of the few calls is as old as the oldest one.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::super::address::Address;
use super::super::connect_error::ConnectError;
use super::super::tasks::Tasks;
use super::{Io, unix};
use crate::model::text;

/// Bytes of a short answer.
const LIMIT: usize = 64 << 10;

/// One request to the daemon, and what serves it.
pub(super) struct Exchange {
    address: Address,
    response: Response<Incoming>,
    tasks: Tasks,
}

impl Exchange {
    /// Sends a request on a connection of its own.
    pub(super) async fn send(socket: &Path, request: Request<Full<Bytes>>) -> Result<Self, ConnectError> {
        let address = Address::DockerSocket(socket.to_owned());
        let stream = TokioIo::new(unix(socket, &address).await?);
        let failed = |source| ConnectError::protocol(&address, source);
        let (mut sender, driver) = hyper::client::conn::http1::handshake(stream).await.map_err(failed)?;
        let tasks = Tasks::default();
        // When there is an upgrade, it hands the socket over and ends.
        tasks.spawn(async move {
            if let Err(error) = driver.with_upgrades().await {
                tracing::info!(%error, "a connection to the daemon broke");
            }
        });
        let response = sender.send_request(request).await.map_err(failed)?;
        Ok(Self { address, response, tasks })
    }

    /// HTTP's status.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The bytes of the answer, of an error as of a success; what comes of them, when they break off.
    pub(super) async fn body(self) -> Bytes {
        let body = Limited::new(self.response.into_body(), LIMIT).collect().await;
        body.map(http_body_util::Collected::to_bytes).unwrap_or_default()
    }

    /// The connection, after 101.
    pub(super) async fn upgraded(self) -> Result<hyper::upgrade::Upgraded, ConnectError> {
        let upgraded = hyper::upgrade::on(self.response).await;
        let upgraded = upgraded.map_err(|source| ConnectError::protocol(&self.address, source))?;
        self.tasks.close().await;
        Ok(upgraded)
    }
}

/// A request with a body in JSON, or none.
pub(super) fn request(
    method: http::Method,
    path: &str,
    json: Option<&serde_json::Value>,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "docker");
    if json.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(Full::new(json.map(|json| json.to_string().into()).unwrap_or_default()))
}

/// The same, asking for another protocol on the connection.
pub(super) fn asking_for(mut request: Request<Full<Bytes>>, protocol: &'static str) -> Request<Full<Bytes>> {
    let value = http::HeaderValue::from_static;
    request.headers_mut().insert(header::CONNECTION, value("Upgrade"));
    request.headers_mut().insert(header::UPGRADE, value(protocol));
    request
}

/// BuildKit behind `POST /grpc` or `POST /session`.
pub(super) async fn upgrade_to_h2c(
    socket: &Path,
    path: &'static str,
    headers: &HeaderMap,
) -> Result<Box<dyn Io>, ConnectError> {
    let address = || Address::DockerSocket(socket.to_owned());
    let request = request(http::Method::POST, path, None);
    let request = request.map_err(|source| ConnectError::Request { address: address(), source })?;
    let mut request = asking_for(request, "h2c");
    request.headers_mut().extend(headers.clone());
    let exchange = Exchange::send(socket, request).await?;
    if exchange.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = exchange.status().as_u16();
        let said = text::line(&message_of(&exchange.body().await));
        return Err(ConnectError::NoUpgrade { address: address(), path, status, said });
    }
    Ok(Box::new(exchange.upgraded().await?))
}

/// Docker answers `{"message":"…"}`.
pub(super) fn message_of(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_said() {
        assert_eq!(message_of(br#"{"message":"page not found"}"#), "page not found");
        assert_eq!(message_of(br#"{"message":7}"#), r#"{"message":7}"#);
        assert_eq!(message_of(b"404 page not found\n"), "404 page not found\n");
    }
}
