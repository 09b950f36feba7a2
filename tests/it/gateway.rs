//! The daemon's gateway (`LLBBridge`) as far as a client that is its own frontend goes: it asks the Dockerfile's frontend
//! something, and returns. What it claims is what real engines did in `tests/live`.

use std::convert::Infallible;

use bollard_buildkit_proto::moby::buildkit::v1::frontend::{
    Result as Returned, ReturnRequest, SolveRequest, SolveResponse,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use prost::Message;
use tonic::body::Body;
use tonic::codegen::tokio_stream;

use crate::daemon::{Daemon, Script};

/// Its service's path.
pub const PATH: &str = "/moby.buildkit.v1.frontend.LLBBridge/";

/// Answers one call.
pub async fn answer(daemon: &Daemon, request: Request<Incoming>) -> Response<Body> {
    let build = request.headers().get("buildkit-controlapi-buildid").cloned();
    let build = build.map(|name| name.to_str().unwrap().to_owned());
    let method = request.uri().path().trim_start_matches(PATH).to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    // Waits for the build, as BuildKit does.
    daemon.solve_has_begun().await;
    assert_eq!(build, daemon.seen(|seen| seen.solve.as_ref().map(|solve| solve.r#ref.clone())));
    match method.as_str() {
        "Solve" => {
            daemon.asked(SolveRequest::decode(&body[5..]).unwrap());
            match daemon.script() {
                Script::Lint(Ok(metadata)) => {
                    let metadata = [("result.json".to_owned(), metadata.as_bytes().to_vec())];
                    let metadata = metadata.into_iter().filter(|(_, value)| !value.is_empty()).collect();
                    let result = Some(Returned { metadata, ..Returned::default() });
                    reply(Ok(&SolveResponse { result, ..SolveResponse::default() }))
                }
                Script::Lint(Err(status)) => reply::<SolveResponse>(Err(status)),
                _ => std::future::pending().await,
            }
        }
        "Return" => {
            daemon.returned(ReturnRequest::decode(&body[5..]).unwrap());
            reply(Ok(&()))
        }
        other => panic!("`{other}` is called"),
    }
}

/// A message with its prefix and its trailers.
fn reply<T: Message>(answer: Result<&T, tonic::Status>) -> Response<Body> {
    let (data, trailers) = match answer {
        Ok(message) => {
            let (mut data, message) = (BytesMut::new(), message.encode_to_vec());
            data.put_u8(0);
            data.put_u32(u32::try_from(message.len()).unwrap());
            data.extend_from_slice(&message);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            (data.freeze(), trailers)
        }
        Err(status) => {
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers).unwrap();
            (Bytes::new(), trailers)
        }
    };
    let frames = [Frame::data(data), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    let body = Body::new(StreamBody::new(tokio_stream::iter(frames)));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}
