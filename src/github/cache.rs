//! Whether GitHub's cache service answers, asked before a build is told to read it.
//!
//! BuildKit has no limit of its own here (`solver/llbsolver/bridge.go`, `importing cache manifest`): it waits for a
//! service that took the connection and says nothing, for ever, and with it every build of the same daemon, even
//! those that begin after this one was cancelled. So one harmless question goes ahead, with a limit. Only what the
//! service itself says or does not say counts: BuildKit may reach what we do not, and notices by itself what it
//! cannot reach.

use std::time::Duration;

use serde_json::json;

use super::client;
use crate::model::{CacheTrouble, Secret, causes};
use crate::net::Network;

/// The whole question.
const LIMIT: Duration = Duration::from_secs(5);
/// Making the connection.
const CONNECT: Duration = Duration::from_secs(3);

/// Trouble with the service at `url` (`ACTIONS_RESULTS_URL`); `None` if there is none, or if that is not to be told.
pub async fn cache_trouble(url: &str, token: &Secret, network: &Network) -> Option<CacheTrouble> {
    let client = client(url, Some(token), network, CONNECT)?;
    // A key that nobody writes, in the version that BuildKit's client (`go-actions-cache`) uses.
    let question = json!({
        "key": "docker-push-action-question",
        "restore_keys": [],
        "version": "693bb7016429d80366022f036f84856888c9f13e00145f5f6f4dce303a38d6f2",
    });
    let route = "/twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL";
    let (why, lasting) = match tokio::time::timeout(LIMIT, client._post(route, Some(&question))).await {
        Err(_) => (format!("gave no answer within {} s", LIMIT.as_secs()), true),
        Ok(Ok(answer)) if answer.status().is_success() => return None,
        Ok(Ok(answer)) => match answer.status().as_u16() {
            429 => ("says that there are too many requests (429)".into(), true),
            status @ (401 | 403) => (format!("does not take the job's token ({status})"), false),
            status => (format!("answers with {status}"), false),
        },
        Ok(Err(error)) if is_answer(&error) => ("breaks the connection off".into(), true),
        Ok(Err(_)) => return None,
    };
    Some(CacheTrouble { why: format!("GitHub's cache {why}"), lasting })
}

/// Whether the failure came after a connection was there.
fn is_answer(error: &octocrab::Error) -> bool {
    let mut causes = causes(error);
    let client = causes.find_map(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>());
    client.is_some_and(|client| !client.is_connect())
}
