//! What a context that BuildKit fetches by itself is of: as far as its URL says it, and GitHub, which is asked what a ref is
//! before anything is decided.
//!
//! What is checked out in the workspace says nothing of it. A ref is asked about where it is one of this GitHub server;
//! elsewhere a commit is known only where the URL names it. BuildKit's order of what a name may mean is kept (`source/git`):
//! the whole name of a ref, then a branch, then a Git tag; an abbreviated commit is none of these.

use super::trigger::triggering_commit;
use super::{Ancestry, CheckoutFacts, DescribeError};
use crate::model::{CommitId, ContextSource, GitUrl, text};
use crate::runner::context::RunnerContext;

/// A ref of a context, which GitHub is to be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRef {
    /// `owner/name`.
    pub repository: String,
    /// It is the run's own one.
    pub own: bool,
    /// What the name may mean, without `refs/`, in order: `heads/main`, `tags/main`. None: the default branch.
    pub names: Vec<String>,
}

/// What a context's ref was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextCommit {
    /// The commit.
    pub commit: CommitId,
    /// A branch has it. Every BuildKit fetches such a commit by its id; older ones (before 0.17) no other.
    pub on_branch: bool,
    /// Its parents, as far as they were told.
    pub parents: Vec<CommitId>,
    /// Its committer's time, Unix seconds, if it was told.
    pub time: Option<i64>,
    /// How the commit that the run is about stands to it; only of the run's own repository.
    pub ancestry: Ancestry,
}

/// What is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    /// This commit of the run's own repository.
    Own(CommitId),
    /// A commit of the run's own repository, which is known when it is fetched; why it is not known yet.
    OwnRef(String),
    /// Something else.
    Other {
        /// Its commit, if it is known.
        commit: Option<CommitId>,
        /// Its repository's address for people, if it has one.
        page: Option<String>,
    },
}

impl Sources {
    /// The commit, if it is known.
    pub(super) fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Own(commit) => Some(commit),
            Self::OwnRef(_) => None,
            Self::Other { commit, .. } => commit.as_ref(),
        }
    }
}

/// The ref that GitHub is to be asked about: where the context is one, at this server, and the URL names no commit. An error
/// says why it means nothing.
pub fn ref_to_look_up(context: &RunnerContext, source: &ContextSource) -> Option<Result<ContextRef, String>> {
    let ContextSource::Remote(url) = source else { return None };
    let url = GitUrl::parse(url)?;
    let repository = url.repository_on(&context.server_url)?.to_owned();
    if url.commit().is_some() {
        return None;
    }
    let own = context.is_own(Some(&repository));
    Some(meanings(url.reference()).map(|names| ContextRef { repository, own, names }))
}

/// What a ref's name may mean, in BuildKit's order.
fn meanings(name: &str) -> Result<Vec<String>, String> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    // As Git checks it; what is left can stand in a URL's path.
    let part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.contains("..")
    };
    let character = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '%')
    };
    if name.contains(character) || !name.split('/').all(part) {
        return Err(format!("`{}` is not a name of a ref", text::name(name)));
    }
    if let Some(whole) = name.strip_prefix("refs/") {
        return Ok(vec![whole.to_owned()]);
    }
    let whole = ["heads/", "tags/", "pull/"].iter().any(|prefix| name.starts_with(prefix));
    let whole = whole.then(|| name.to_owned());
    Ok(whole.into_iter().chain([format!("heads/{name}"), format!("tags/{name}")]).collect())
}

/// What the context of this URL is of; `told` is what GitHub said of its ref.
pub(super) fn sources(
    url: &str,
    context: &RunnerContext,
    told: Option<&Result<ContextCommit, String>>,
) -> Sources {
    let Some(url) = GitUrl::parse(url) else { return Sources::Other { commit: None, page: None } };
    let told = told.map(|told| told.as_ref().map(|told| told.commit.clone()));
    let commit = match (url.commit(), told) {
        (Some(commit), _) | (None, Some(Ok(commit))) => Ok(commit),
        (None, Some(Err(why))) => Err(text::line(why)),
        (None, None) => Err("GitHub was not asked".to_owned()),
    };
    if context.is_own(url.repository_on(&context.server_url)) {
        return commit.map_or_else(Sources::OwnRef, Sources::Own);
    }
    Sources::Other { commit: commit.ok(), page: url.page().map(str::to_owned) }
}

/// What the strategy goes by where the context is fetched: nothing of the checkout, unless that is of the same commit.
pub(super) fn fetched(
    sources: &Sources,
    checkout: &CheckoutFacts,
    context: &RunnerContext,
    told: Option<&ContextCommit>,
) -> CheckoutFacts {
    let expected = triggering_commit(context);
    let own = match sources {
        Sources::Own(commit) => Some(commit),
        Sources::OwnRef(_) | Sources::Other { .. } => None,
    };
    if own.is_some() && own == checkout.head.as_ref() {
        return checkout.clone();
    }
    let nothing = CheckoutFacts {
        describe: Err(DescribeError::Elsewhere),
        ..CheckoutFacts::none(expected.clone(), None)
    };
    match (own, told) {
        (Some(commit), Some(told))
            if told.commit == *commit && (told.time.is_some() || !told.parents.is_empty()) =>
        {
            CheckoutFacts {
                head: Some(commit.clone()),
                parents: told.parents.clone(),
                head_time: told.time,
                ancestry: told.ancestry.clone(),
                ..nothing
            }
        }
        // The run's own commit needs no comparison with itself.
        (Some(commit), _) => CheckoutFacts {
            head: Some(commit).filter(|commit| *commit != expected).cloned(),
            ancestry: told.map_or(nothing.ancestry.clone(), |told| told.ancestry.clone()),
            ..nothing
        },
        (None, _) => nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::fixture::{commit, context, push};

    fn told(digit: char) -> ContextCommit {
        ContextCommit {
            commit: commit(digit),
            on_branch: true,
            parents: vec![commit('8')],
            time: Some(5),
            ancestry: Ancestry::Ancestor,
        }
    }

    #[test]
    fn what_a_url_says() {
        let context = context(push(), "refs/heads/main");
        let three = "3".repeat(40);
        let (yes, no) = (Some(Ok(told('5'))), Some(Err("it said no\u{1b}".to_owned())));
        let own = Sources::Own(commit('5'));
        let unknown = || Sources::OwnRef("it said no".into());
        let other = |commit: Option<CommitId>, page: &str| Sources::Other {
            commit,
            page: (!page.is_empty()).then(|| page.to_owned()),
        };
        for (url, told, expected) in [
            ("https://github.com/acme/shop.git#main", &yes, own.clone()),
            ("https://github.com/Acme/Shop.git#refs/heads/main:api", &yes, own.clone()),
            ("https://github.com/acme/shop.git?branch=main&subdir=api", &yes, own.clone()),
            ("github.com/acme/shop", &yes, own.clone()),
            ("git@github.com:acme/shop.git#dev", &yes, own.clone()),
            ("https://github.com/acme/shop.git#main", &no, unknown()),
            ("https://github.com/acme/shop.git#main", &None, Sources::OwnRef("GitHub was not asked".into())),
            (&format!("https://github.com/acme/shop.git#{three}:api"), &None, Sources::Own(commit('3'))),
            (
                &format!("https://github.com/acme/shop.git?ref=main&commit={three}"),
                &None,
                Sources::Own(commit('3')),
            ),
            (
                &format!("https://github.com/acme/other.git#{three}"),
                &None,
                other(Some(commit('3')), "https://github.com/acme/other"),
            ),
            (
                "https://github.com/acme/other.git#main",
                &yes,
                other(Some(commit('5')), "https://github.com/acme/other"),
            ),
            ("https://github.com/acme/other.git#main", &no, other(None, "https://github.com/acme/other")),
            (
                "https://gitlab.example/acme/shop.git#main",
                &None,
                other(None, "https://gitlab.example/acme/shop"),
            ),
            ("git@gitlab.example:acme/shop.git", &None, other(None, "")),
            (
                "https://evil.example/x@github.com/acme/shop.git#main",
                &None,
                other(None, "https://evil.example/x@github.com/acme/shop"),
            ),
            ("https://example.com/shop.tar.gz", &None, other(None, "")),
        ] {
            assert_eq!(sources(url, &context, told.as_ref()), expected, "{url}");
        }
    }

    #[test]
    fn what_is_asked() {
        let context = context(push(), "refs/heads/main");
        let three = "3".repeat(40);
        let asked = |url: &str| {
            let asked = ref_to_look_up(&context, &ContextSource::Remote(url.into()));
            asked.map(|asked| match asked {
                Ok(asked) => format!("{} {} {}", asked.repository, asked.own, asked.names.join(" ")),
                Err(why) => why,
            })
        };
        for (url, expected) in [
            ("https://github.com/acme/shop.git", "acme/shop true "),
            ("https://github.com/acme/shop.git#main", "acme/shop true heads/main tags/main"),
            (
                "https://github.com/acme/shop.git#feature/a:api",
                "acme/shop true heads/feature/a tags/feature/a",
            ),
            ("https://github.com/acme/shop.git#refs/pull/7/merge", "acme/shop true pull/7/merge"),
            ("https://github.com/acme/shop.git#tags/v1", "acme/shop true tags/v1 heads/tags/v1 tags/tags/v1"),
            ("https://github.com/acme/shop.git?tag=v1", "acme/shop true tags/v1"),
            // Not looked for among commits: BuildKit does not do so either.
            ("https://github.com/acme/shop.git#3333333", "acme/shop true heads/3333333 tags/3333333"),
            ("https://github.com/other/lib.git#main", "other/lib false heads/main tags/main"),
            ("https://github.com/acme/shop.git#../../../user", "`../../../user` is not a name of a ref"),
            ("https://github.com/acme/shop.git#a//b", "`a//b` is not a name of a ref"),
            ("https://github.com/acme/shop.git#a%2Fb", "`a%2Fb` is not a name of a ref"),
        ] {
            assert_eq!(asked(url).as_deref(), Some(expected), "{url}");
        }
        for url in [
            &format!("https://github.com/acme/shop.git#{three}"),
            &format!("https://github.com/acme/shop.git?ref=main&commit={three}"),
            "https://gitlab.example/acme/shop.git#main",
            "https://example.com/shop.tar.gz",
        ] {
            assert_eq!(asked(url), None, "{url}");
        }
        assert_eq!(ref_to_look_up(&context, &ContextSource::Directory("/w".into())), None);
    }
}
