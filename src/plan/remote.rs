//! The job's token for contexts that BuildKit fetches by itself: for which of them, and under which secret ids.
//!
//! Obeys BuildKit: `source/git` asks the session for `GIT_AUTH_TOKEN.HOST[:PORT]` and sends it as HTTP basic
//! authentication, `source/http` asks for `HTTP_AUTH_TOKEN_HOST` and sends it as a bearer. Refuses every host but this
//! GitHub server's, over the scheme that the server has; a Dockerfile from somebody else's repository, whose steps could
//! mount the secret; and every run that may build a stranger's code, whatever its contexts are called.

use http::Uri;

use crate::inputs::config::Config;
use crate::model::{ContextSource, NamedSource};
use crate::runner::context::RunnerContext;

const GIT_TOKEN: &str = "GIT_AUTH_TOKEN";
const GIT_HEADER: &str = "GIT_AUTH_HEADER";
const HTTP_TOKEN: &str = "HTTP_AUTH_TOKEN_";
const HTTP_HEADER: &str = "HTTP_AUTH_HEADER_";

/// The secrets that are the input `token`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TokenSecrets {
    /// Their ids, each once, sorted.
    pub ids: Vec<String>,
    /// Why there are none where there would have been some; for people.
    pub withheld: Option<String>,
}

/// For which contexts the build is given the token; in a run that may build a stranger's code for none, as any step
/// could mount it.
pub(super) fn token_secrets(config: &Config, context: &RunnerContext) -> TokenSecrets {
    let ids = wanted(config, context);
    let Some(stranger) = context.stranger().filter(|_| !ids.is_empty()) else {
        return TokenSecrets { ids, withheld: None };
    };
    let withheld = format!(
        "the build does not get `token` for Git and HTTP contexts: {} may build a stranger's code, whose steps could read \
         it (a token that they may read can be given by `secret_envs: {}=VARIABLE`)",
        stranger.run(),
        ids[0],
    );
    TokenSecrets { ids: Vec::new(), withheld: Some(withheld) }
}

/// Ids of the secrets that the contexts ask for.
fn wanted(config: &Config, context: &RunnerContext) -> Vec<String> {
    let Some(server) = context.server_url.parse::<Uri>().ok().filter(|_| config.has_token) else {
        return Vec::new();
    };
    let main = match &config.context {
        ContextSource::Remote(text) => Some(text.as_str()),
        ContextSource::Directory(_) => None,
    };
    let foreign = main.is_some_and(|text| !is_owners(text, &server, &context.repository.owner));
    if config.dockerfile.directory.is_none() && foreign {
        return Vec::new();
    }
    let named = config.build.named_contexts.iter().filter_map(|context| match &context.source {
        NamedSource::Remote(text) => Some(text.as_str()),
        NamedSource::Directory(_) | NamedSource::OciLayout { .. } => None,
    });
    let given = |id: &str| config.build.secrets.iter().any(|secret| secret == id);
    let mut ids: Vec<String> = main
        .into_iter()
        .chain(named)
        .filter_map(|text| on_server(text, &server))
        .filter_map(|(uri, is_git)| {
            let (host, port) = (uri.host()?, uri.port_u16());
            if !is_git {
                let own = [HTTP_TOKEN, HTTP_HEADER].iter().any(|id| given(&format!("{id}{host}")));
                return (!own).then(|| format!("{HTTP_TOKEN}{host}"));
            }
            // As it is written: BuildKit neither lowers it nor drops a port that is the scheme's own.
            let host = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            let own = [GIT_TOKEN, GIT_HEADER].iter().any(|id| given(id) || given(&format!("{id}.{host}")));
            (!own).then(|| format!("{GIT_TOKEN}.{host}"))
        })
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The URL, if it is on this server, and whether BuildKit clones what is there; else it downloads it.
fn on_server(text: &str, server: &Uri) -> Option<(Uri, bool)> {
    // BuildKit takes `github.com/…` for a repository at `https://github.com/…`.
    let short = text.starts_with("github.com/");
    let text = if short { format!("https://{text}") } else { text.to_owned() };
    let uri = text.parse::<Uri>().ok()?;
    let is_git = short || uri.path().strip_suffix(".git").is_some();
    (origin(&uri)? == origin(server)?).then_some((uri, is_git))
}

/// Scheme, host and port, in one spelling.
fn origin(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    Some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

fn is_owners(text: &str, server: &Uri, owner: &str) -> bool {
    let path = on_server(text, server).map(|(uri, _)| uri.path().to_owned()).unwrap_or_default();
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    !owner.is_empty() && first.eq_ignore_ascii_case(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::fixture;
    use crate::model::NamedContext;
    use crate::runner::context::Event;

    struct Case {
        main: Option<&'static str>,
        named: &'static [&'static str],
        given: &'static [&'static str],
    }

    fn ids(server: &str, case: &Case) -> Vec<String> {
        let mut context = fixture::context(fixture::push(), "refs/heads/main");
        context.server_url = server.into();
        let mut config = fixture::config();
        config.has_token = true;
        if let Some(main) = case.main {
            config.context = ContextSource::Remote(main.into());
            config.dockerfile.directory = None;
        }
        let named = case
            .named
            .iter()
            .map(|text| NamedContext { name: "x".into(), source: NamedSource::Remote((*text).into()) });
        config.build.named_contexts = named.collect();
        config.build.secrets = case.given.iter().map(|id| (*id).to_owned()).collect();
        let found = token_secrets(&config, &context);
        assert_eq!(found.withheld, None);
        config.has_token = false;
        assert_eq!(token_secrets(&config, &context), TokenSecrets::default());
        found.ids
    }

    #[test]
    fn this_server_only() {
        const OWN: &str = "https://github.com/acme/shop.git#main:api";
        let hub = "https://github.com";
        let case = |main, named, given| Case { main, named, given };
        let table: &[(&str, Case, &[&str])] = &[
            (hub, case(None, &[], &[]), &[]),
            (hub, case(Some(OWN), &[], &[]), &["GIT_AUTH_TOKEN.github.com"]),
            (
                hub,
                case(Some("https://GitHub.com:443/Acme/x.git"), &[], &[]),
                &["GIT_AUTH_TOKEN.GitHub.com:443"],
            ),
            (hub, case(Some("github.com/acme/shop"), &[], &[]), &["GIT_AUTH_TOKEN.github.com"]),
            (
                hub,
                case(Some("https://github.com/acme/shop/archive/main.tar.gz"), &[], &[]),
                &["HTTP_AUTH_TOKEN_github.com"],
            ),
            (
                "http://git.example:3000",
                case(None, &["http://git.example:3000/other/lib.git", "http://git.example:3000/a.tgz"], &[]),
                &["GIT_AUTH_TOKEN.git.example:3000", "HTTP_AUTH_TOKEN_git.example"],
            ),
            (
                hub,
                case(None, &["https://github.com/other/lib.git", OWN], &[]),
                &["GIT_AUTH_TOKEN.github.com"],
            ),
            // Another host, another scheme, a name that only looks like it.
            (hub, case(None, &["https://gitlab.com/acme/shop.git"], &[]), &[]),
            (hub, case(None, &["http://github.com/acme/shop.git"], &[]), &[]),
            (hub, case(None, &["https://github.com:8443/acme/shop.git"], &[]), &[]),
            (hub, case(None, &["https://github.com@evil.example/acme/shop.git"], &[]), &[]),
            (hub, case(None, &["https://github.com.evil.example/acme/shop.git"], &[]), &[]),
            (
                hub,
                case(None, &["git@github.com:acme/shop.git", "docker-image://github.com/acme/shop.git"], &[]),
                &[],
            ),
            // A stranger's Dockerfile could mount it.
            (hub, case(Some("https://github.com/mallory/shop.git"), &[OWN], &[]), &[]),
            (hub, case(Some("https://evil.example/acme/shop.git"), &[OWN], &[]), &[]),
            (hub, case(Some("https://github.com/acme.git"), &[], &[]), &[]),
            // What the user gave is theirs to choose.
            (hub, case(Some(OWN), &[], &["GIT_AUTH_TOKEN"]), &[]),
            (hub, case(Some(OWN), &[], &["GIT_AUTH_TOKEN.github.com"]), &[]),
            (hub, case(Some(OWN), &[], &["GIT_AUTH_HEADER.github.com"]), &[]),
            (hub, case(Some(OWN), &[], &["GIT_AUTH_TOKEN.gitlab.com"]), &["GIT_AUTH_TOKEN.github.com"]),
            (hub, case(None, &["https://github.com/a/b.tgz"], &["HTTP_AUTH_HEADER_github.com"]), &[]),
            ("", case(Some(OWN), &[], &[]), &[]),
        ];
        for (server, case, expected) in table {
            assert_eq!(ids(server, case), *expected, "{server} {:?} {:?}", case.main, case.named);
        }
    }

    #[test]
    fn a_dockerfile_of_ours_may_take_a_strangers_files() {
        let context = fixture::context(fixture::push(), "refs/heads/main");
        let mut config = fixture::config();
        config.has_token = true;
        config.context = ContextSource::Remote("https://github.com/other/data.git".into());
        assert_eq!(token_secrets(&config, &context).ids, ["GIT_AUTH_TOKEN.github.com"]);
    }

    #[test]
    fn a_strangers_code_never_gets_the_jobs_token() {
        const OWN: &str = "https://github.com/acme/shop.git#refs/pull/5/merge";
        let pull = || fixture::pull_request("mallory/shop");
        for event in [
            Event::PullRequestTarget(pull()),
            Event::PullRequestTarget(fixture::pull_request("acme/shop")),
            Event::PullRequest(pull()),
            Event::IssueComment { number: 5, on_pull_request: true },
            fixture::workflow_run("pull_request", "x", "acme/shop", Some(5)),
            fixture::workflow_run("push", "x", "mallory/shop", None),
        ] {
            let context = fixture::context(event.clone(), "refs/heads/main");
            // The pull request's own context; a checked-out head beside any other repository of this server.
            for main in [Some(OWN), None] {
                let mut config = fixture::config();
                config.has_token = true;
                match main {
                    Some(main) => {
                        config.context = ContextSource::Remote(main.into());
                        config.dockerfile.directory = None;
                    }
                    None => config.build.named_contexts.push(NamedContext {
                        name: "x".into(),
                        source: NamedSource::Remote("https://github.com/acme/lib.git".into()),
                    }),
                }
                let found = token_secrets(&config, &context);
                assert_eq!(found.ids, Vec::<String>::new(), "{event:?} {main:?}");
                let said = found.withheld.unwrap();
                assert!(said.contains("`secret_envs: GIT_AUTH_TOKEN.github.com=VARIABLE`"), "{said}");
            }
            let mut local = fixture::config();
            local.has_token = true;
            assert_eq!(token_secrets(&local, &context).withheld, None, "nothing would have been given");
        }
    }
}
