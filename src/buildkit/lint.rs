//! The build checks of a Dockerfile: what `docker buildx build --check` asks BuildKit, without a build.
//!
//! The frontend answers the *subrequest* `frontend.lint` instead of building. Its answer is metadata of its result, which a
//! plain Solve throws away: so Solve is begun without a frontend, which makes this client the frontend; it asks the real one
//! through the gateway (`LLBBridge`), tells both calls apart by the header of the build's name, and returns an empty result,
//! which ends the Solve. Obeys BuildKit's `client/build.go`, `frontend/gateway/grpcclient`, `frontend/subrequests/lint`.
//!
//! A Dockerfile that could not be built is an answer, too; what went wrong otherwise is an error.

use std::future::Future;
use std::pin::pin;

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use prost::Message as _;
use proto::frontend::{Ref, ReturnRequest, result};
use serde::Deserialize;
use tokio::sync::mpsc;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

use super::connection::{Connection, Control, Gateway};
use super::content::Stores;
use super::detail::{Info, Range, place_in};
use super::error::BuildError;
use super::ids::BuildIds;
use super::provisions::Provisions;
use super::request::{add_arguments, solve_request};
use super::solve::{failure, open_session};
use super::status::Follower;
use crate::model::{sort_by_key, text};
use crate::plan::build::BuildPlan;
use crate::progress::event::{SourceLocation, StatusUpdate, VertexWarning};

/// The header that says whose frontend calls (BuildKit's `client/buildid`).
const BUILD_ID: &str = "buildkit-controlapi-buildid";
/// The subrequest (BuildKit's `frontend/subrequests/lint`).
const LINT: &str = "frontend.lint";
/// What a frontend must know for it. One that only hands it to the frontend of a `# syntax=` line need not know.
const SUBREQUESTS: &str = "moby.buildkit.frontend.subrequests+forward";

/// What the frontend has found.
#[derive(Debug)]
pub struct Linted {
    /// Findings, in the order of the lines that they are about: the same as a build's warnings.
    pub warnings: Vec<VertexWarning>,
    /// Why the Dockerfile could not be built, if it could not: [`BuildError::Dockerfile`].
    pub failure: Option<BuildError>,
}

/// Has the Dockerfile of this plan checked for all that a build of it would be told: its target, or all stages without one;
/// arguments, contexts. Nothing is built or exported. `updates` and `cancel` are as in [`super::build`].
///
/// # Errors
/// [`BuildError::NoChecks`] if the frontend is too old; whatever else kept it from answering.
pub async fn lint(
    connection: &Connection,
    plan: &BuildPlan,
    ids: &BuildIds,
    provisions: Provisions,
    updates: mpsc::Sender<StatusUpdate>,
    cancel: impl Future<Output = ()>,
) -> Result<Linted, BuildError> {
    let mut cancel = pin!(cancel);
    let mut request = solve_request(plan, ids, connection.address());
    add_arguments(&mut request, &provisions.build_args);
    let (stores, plan) = Stores::open(plan);
    let session = open_session(connection, &plan, stores, ids, provisions, cancel.as_mut()).await?;
    let mut follower = Follower::new(connection.control(), &ids.reference, updates);
    tracing::info!(reference = ids.reference, "asking for build checks");
    let calls = ask(connection.control(), connection.gateway(), request);
    let outcome = match follower.beside(calls, cancel).await {
        None => Err(BuildError::Cancelled),
        Some(Err(status)) => Err(failure(&status, &plan, &session, &follower).await),
        Some(Ok(None)) => Err(BuildError::Nonsense("the frontend has said nothing of its findings".into())),
        Some(Ok(Some(json))) => read(&json).map_err(|error| {
            BuildError::Nonsense(format!("the frontend's findings cannot be read: {error}"))
        }),
    };
    session.close().await;
    outcome.map_err(|error| error.with_last_words(connection.last_words()))
}

/// Solves with ourselves for a frontend, which asks the real one and returns nothing. Gives what that says in
/// `result.json`.
async fn ask(
    mut control: Control,
    mut gateway: Gateway,
    request: proto::SolveRequest,
) -> Result<Option<Vec<u8>>, Status> {
    let build = MetadataValue::try_from(&request.r#ref)
        .map_err(|_| Status::internal("the name of a build cannot be sent"))?;
    let mut question = Request::new(question(&request));
    question.metadata_mut().insert(BUILD_ID, build.clone());
    let own = proto::SolveRequest { frontend: String::new(), frontend_attrs: [].into(), ..request };
    let mut solving = pin!(control.solve(own));
    let answer = tokio::select! {
        biased;
        // It waits for what we return.
        ended = &mut solving => {
            ended?;
            return Err(Status::internal("the solve ended before its frontend"));
        }
        answer = gateway.solve(question) => answer,
    };
    let mut returned = Request::new(empty_result(answer.as_ref().err()));
    returned.metadata_mut().insert(BUILD_ID, build);
    // Whether that arrived shows in how the solve ends.
    let _ = gateway.r#return(returned).await;
    let ended = solving.await;
    let mut result = answer?.into_inner().result.unwrap_or_default();
    ended?;
    Ok(result.metadata.remove("result.json"))
}

/// The request to the real frontend: all that a build would tell it, and what it is asked instead.
fn question(request: &proto::SolveRequest) -> proto::frontend::SolveRequest {
    let mut attrs = request.frontend_attrs.clone();
    attrs.insert("requestid".into(), LINT.into());
    let known = attrs.remove("frontend.caps").map(|known| known + ",").unwrap_or_default();
    attrs.insert("frontend.caps".into(), known + SUBREQUESTS);
    proto::frontend::SolveRequest {
        frontend: request.frontend.clone(),
        frontend_opt: attrs,
        allow_result_return: true,
        allow_result_array_ref: true,
        ..Default::default()
    }
}

/// What our own frontend returns: nothing, or why.
fn empty_result(failed: Option<&Status>) -> ReturnRequest {
    let Some(status) = failed else {
        let nothing = result::Result::Ref(Ref::default());
        let result = proto::frontend::Result { result: Some(nothing), ..Default::default() };
        return ReturnRequest { result: Some(result), error: None };
    };
    let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
    let error = rpc::Status { code: status.code() as i32, message: status.message().to_owned(), details };
    ReturnRequest { result: None, error: Some(error) }
}

/// `lint.LintResults`. Go writes an empty list as `null`.
#[derive(Deserialize)]
struct Results {
    warnings: Option<Vec<Warning>>,
    sources: Option<Vec<Option<Info>>>,
    #[serde(rename = "buildError")]
    error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Warning {
    rule_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    detail: String,
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
    location: Option<Location>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(default)]
    source_index: i32,
    #[serde(default)]
    ranges: Vec<Range>,
}

impl Location {
    fn place(&self, sources: &[Option<Info>]) -> Option<SourceLocation> {
        let source = sources.get(usize::try_from(self.source_index).ok()?)?.as_ref()?;
        place_in(source, &self.ranges)
    }
}

/// The findings, as a build's warnings would say them, and why there can be no build.
fn read(json: &[u8]) -> Result<Linted, serde_json::Error> {
    let Results { warnings, sources, error } = serde_json::from_slice(json)?;
    let sources = sources.unwrap_or_default();
    let place = |location: Option<Location>| location.and_then(|location| location.place(&sources));
    let mut found: Vec<VertexWarning> = warnings
        .unwrap_or_default()
        .into_iter()
        .map(|warning| {
            let location = place(warning.location);
            let line = location.as_ref().map(|place| format!(" (line {})", place.line)).unwrap_or_default();
            VertexWarning {
                vertex: String::new(),
                level: 1,
                short: format!("{}: {}{line}", warning.rule_name, warning.detail),
                detail: vec![warning.description],
                url: warning.url,
                location,
            }
        })
        .collect();
    sort_by_key(&mut found, |warning| warning.location.as_ref().map(|place| place.line));
    let failure = error.map(|error| BuildError::Dockerfile {
        message: text::lines(&error.message),
        location: place(error.location),
    });
    Ok(Linted { warnings: found, failure })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn results(rest: &str) -> String {
        let data = STANDARD.encode("FROM scratch as a\nMAINTAINER me\n");
        format!(
            r#"{{"sources":[{{"filename":"Dockerfile","language":"Dockerfile","data":"{data}"}}],{rest}}}"#
        )
    }

    #[test]
    fn findings_read_as_a_builds_warnings() {
        let json = results(
            r#""warnings":[
                {"ruleName":"MaintainerDeprecated","description":"use a label","url":"https://d/","detail":"Maintainer",
                 "location":{"ranges":[{"start":{"line":2},"end":{"line":2}}]}},
                {"ruleName":"FromAsCasing","detail":"'as' and 'FROM'","location":{"ranges":[{"start":{"line":1},"end":{"line":1}}]}},
                {"ruleName":"Anywhere","detail":"x"}]"#,
        );
        let Linted { warnings: found, failure } = read(json.as_bytes()).unwrap();
        assert!(failure.is_none());
        let said: Vec<_> = found.iter().map(|warning| warning.short.as_str()).collect();
        assert_eq!(
            said,
            [
                "Anywhere: x",
                "FromAsCasing: 'as' and 'FROM' (line 1)",
                "MaintainerDeprecated: Maintainer (line 2)"
            ]
        );
        assert_eq!((found[2].detail[0].as_str(), found[2].url.as_str()), ("use a label", "https://d/"));
        let place = found[2].location.as_ref().unwrap();
        assert_eq!((place.line, place.excerpt.lines[1].as_str()), (2, "MAINTAINER me"));
    }

    #[test]
    fn a_dockerfile_that_cannot_be_built() {
        let json = results(
            r#""warnings":null,"buildError":{"message":"dockerfile parse error\u001b[2J","location":{"ranges":[{"start":{"line":2},"end":{"line":2}}]}}"#,
        );
        let Linted { warnings: found, failure } = read(json.as_bytes()).unwrap();
        assert!(found.is_empty());
        let failure = failure.unwrap();
        assert_eq!(
            failure.to_string(),
            "the Dockerfile cannot be built: dockerfile parse error [2J (`Dockerfile:2`)"
        );
        // Nothing in particular is at fault.
        let json = results(r#""buildError":{"message":"lint violation found for rules: X","location":{}}"#);
        let failure = read(json.as_bytes()).unwrap().failure.unwrap();
        assert_eq!(failure.location(), None);
        assert!(failure.hint().unwrap().contains("error=true"));
    }

    #[test]
    fn what_makes_no_sense() {
        for json in ["", "[]", "{\"warnings\":7}", "{\"warnings\":[{}]}"] {
            assert!(read(json.as_bytes()).is_err(), "{json}");
        }
        // A place that is not there is none.
        for location in [r#"{"sourceIndex":7}"#, r#"{"sourceIndex":-1,"ranges":[]}"#, "{}", "null"] {
            let json = results(&format!(r#""warnings":[{{"ruleName":"X","location":{location}}}]"#));
            assert_eq!(read(json.as_bytes()).unwrap().warnings[0].location, None, "{location}");
        }
        assert!(read(b"{}").unwrap().warnings.is_empty());
    }

    #[test]
    fn the_frontend_is_told_all_that_a_build_tells_it() {
        let attrs = [("target", "app"), ("frontend.caps", "a,b")];
        let attrs = attrs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let request = proto::SolveRequest {
            frontend: "dockerfile.v0".into(),
            frontend_attrs: attrs.into(),
            ..Default::default()
        };
        let asked = question(&request);
        assert_eq!(asked.frontend, "dockerfile.v0");
        assert_eq!(asked.frontend_opt["target"], "app");
        assert_eq!(asked.frontend_opt["requestid"], "frontend.lint");
        assert_eq!(asked.frontend_opt["frontend.caps"], "a,b,moby.buildkit.frontend.subrequests+forward");
    }

    #[test]
    fn why_our_frontend_ends() {
        let returned = empty_result(None);
        assert!(returned.error.is_none() && returned.result.is_some());
        let details = rpc::Status {
            details: vec![bollard_buildkit_proto::google::protobuf::Any {
                type_url: "x".into(),
                value: vec![1],
            }],
            ..Default::default()
        };
        let status = Status::with_details(tonic::Code::Unknown, "no", details.encode_to_vec().into());
        let error = empty_result(Some(&status)).error.unwrap();
        assert_eq!((error.code, error.message.as_str(), error.details.len()), (2, "no", 1));
    }
}
