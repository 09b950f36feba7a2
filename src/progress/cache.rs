//! What the status stream says of the build cache: what it saved, what reading and writing it took, why it failed.
//!
//! Pure. BuildKit reports an import and an export as steps of their own (`importing cache manifest from …`,
//! `exporting …`); their texts come clean out of [`super::state`]. A failed import is no failed build.

use std::time::Duration;

use super::state::{State, Step};
use super::text::copied_from;

/// The parts of an export that move something (`cache/remotecache`).
const WRITING: &str = "writing layer ";

/// What the cache did for a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Steps of the Dockerfile, but for base images: those are fetched, and neither miss the cache nor are taken from it.
    pub steps: usize,
    /// Those that did not have to run.
    pub cached: usize,
    /// Time until the last index was read.
    pub reading: Duration,
    /// Caches that could not be read.
    pub unread: Vec<Unread>,
    /// The first step, in the order in which they began, that had to run.
    pub first_miss: Option<Miss>,
}

/// A step that had to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Its name.
    pub step: String,
    /// What that means.
    pub why: Missed,
}

/// Why a step was not in the cache, as far as its kind and its neighbours tell: BuildKit does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// No step was.
    All,
    /// It copies files of the context: they differ.
    Files,
    /// It copies out of this stage or image: that differs.
    From(String),
    /// Anything else: it, or what it is built upon, differs.
    Instruction,
}

/// A cache that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// `gha`, or the reference of a registry's.
    pub from: String,
    /// Why.
    pub why: String,
    /// It is not there, as before the first time that it is written.
    pub missing: bool,
}

/// One export of a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// `exporting to GitHub Actions Cache`.
    pub name: String,
    /// How long it took.
    pub time: Duration,
    /// Digests of the layers that it handled: GitHub's, S3's and Azure's say those that were not there yet, a registry's
    /// and a directory's say all.
    pub layers: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Sums up what the cache did for a build that has ended.
pub fn cache_use(state: &State) -> CacheUse {
    let mut found = CacheUse::default();
    let mut first: Option<&Step> = None;
    for step in state.steps() {
        if step.imported_cache().is_some() {
            found.reading = found.reading.max(step.duration());
            found.unread.extend(unread(step));
        } else if step.number > 0 && is_of_the_dockerfile(step) && !is_base_image(step) {
            found.steps += 1;
            found.cached += usize::from(step.cached);
            if !step.cached && first.is_none_or(|first| step.number < first.number) {
                first = Some(step);
            }
        }
    }
    let miss = |step: &Step| Miss { step: step.name.clone(), why: missed(&step.name, found.cached) };
    found.first_miss = first.map(miss);
    found
}

fn missed(step: &str, cached: usize) -> Missed {
    let instruction = step.split_once("] ").map_or(step, |(_, instruction)| instruction);
    let copies = instruction.starts_with("COPY ") || instruction.starts_with("ADD ");
    match copied_from(step) {
        _ if cached == 0 => Missed::All,
        Some(from) if copies => Missed::From(from.to_owned()),
        None if copies => Missed::Files,
        _ => Missed::Instruction,
    }
}

/// Bytes of layers that are being fetched for steps which need not run, while there are any: what they made comes from
/// a cache. One of them that stands still holds up all that comes after it.
pub fn fetched(state: &State) -> Option<u64> {
    let steps = state.steps().iter().filter(|step| step.was_cached && step.is_running());
    let layers = || {
        steps.clone().flat_map(|step| &step.transfers).filter(|transfer| transfer.name.starts_with("sha256:"))
    };
    layers()
        .any(|layer| layer.ended.is_none())
        .then(|| layers().fold(0, |sum: u64, layer| sum.saturating_add(layer.current)))
}

/// How many steps have ended, while none runs; otherwise `None`.
pub fn idle(state: &State) -> Option<u64> {
    let ended = u64::try_from(state.steps().len()).unwrap_or(u64::MAX);
    (!state.steps().iter().any(Step::is_running)).then_some(ended)
}

/// The exports of caches, of a solve that made nothing else.
pub fn exports(state: &State) -> Vec<Exported> {
    let exports = state.steps().iter().filter(|step| step.number > 0 && step.name.starts_with("exporting "));
    exports
        .map(|step| Exported {
            name: step.name.clone(),
            time: step.duration(),
            layers: step
                .transfers
                .iter()
                .filter_map(|part| part.name.strip_prefix(WRITING))
                .map(str::to_owned)
                .collect(),
            error: step.error.clone(),
        })
        .collect()
}

/// A step that runs a program of the Dockerfile at this moment: in a solve after the build there should be none. One that
/// came from a cache runs nothing: BuildKit begins it again while it fetches and unpacks what it made (`cache/refs.go`).
pub fn running_again(state: &State) -> Option<&Step> {
    state.steps().iter().find(|step| step.is_running() && !step.was_cached && step.name.contains("] RUN "))
}

/// The cache that this step failed to read; nothing when it reads none, or could.
fn unread(step: &Step) -> Option<Unread> {
    let why = step.error.clone().filter(|_| step.is_failed())?;
    let from = step.imported_cache()?;
    // `gha:6264364612648616636`: the number is a hash of the attributes.
    let from = match from.rsplit_once(':') {
        Some((kind, number))
            if !kind.contains('/') && number.len() > 8 && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            kind
        }
        _ => from,
    };
    let missing =
        why.ends_with("not found") || why.contains("manifest unknown") || why.contains("NAME_UNKNOWN");
    Some(Unread { from: from.to_owned(), why, missing })
}

/// Whether the step is one of the Dockerfile: `[2/4] RUN make`, `[linux/amd64 build 2/4] COPY . .`, but not
/// `[internal] load build context`.
fn is_of_the_dockerfile(step: &Step) -> bool {
    let Some((head, _)) = step.name.strip_prefix('[').and_then(|name| name.split_once(']')) else {
        return false;
    };
    let number = head.rsplit(' ').next().unwrap_or_default();
    number.split_once('/').is_some_and(|(part, all)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits(part.trim()) && digits(all)
    })
}

/// Whether a step of the Dockerfile is a `FROM`.
fn is_base_image(step: &Step) -> bool {
    step.name.split_once("] ").is_some_and(|(_, instruction)| instruction.starts_with("FROM "))
}

/// What the daemon said of a cache's failure, after plain words for what it means where that is known.
pub fn explained(why: &str) -> String {
    const MEANINGS: &[(&[&str], &str)] = &[
        (
            &["resource_exhausted", "429", "Too Many Requests", "toomanyrequests"],
            "too many requests at this time",
        ),
        (
            &["url not set for github actions cache"],
            "this BuildKit is older than 0.20 and does not know GitHub's present cache",
        ),
        (&["cache storage quota", "quota", "Insufficient Storage"], "its storage is full"),
        (&["permission_denied", "403 Forbidden", "denied"], "it may not be written with this login"),
        (&["token expired"], "the job's token has expired"),
    ];
    let meaning = MEANINGS.iter().find(|(words, _)| words.iter().any(|word| why.contains(word)));
    match meaning {
        Some((_, meaning)) => format!("{meaning} ({why})"),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{StatusUpdate, Vertex, VertexStatus};
    use super::*;

    fn vertex(name: &str, cached: bool, seconds: Option<u64>, error: &str) -> Vertex {
        Vertex {
            digest: name.into(),
            name: name.into(),
            cached,
            started: Some(Duration::from_secs(100)),
            completed: seconds.map(|seconds| Duration::from_secs(100 + seconds)),
            error: error.into(),
            ..Vertex::default()
        }
    }

    fn state(vertexes: Vec<Vertex>, statuses: Vec<VertexStatus>) -> State {
        let mut state = State::default();
        state.apply(&StatusUpdate { vertexes, statuses, ..StatusUpdate::default() });
        state
    }

    #[test]
    fn what_a_cache_saved() {
        let state = state(
            vec![
                vertex("[internal] load build context", false, Some(1), ""),
                vertex("[auth] acme/api:pull token for r.io", false, Some(1), ""),
                vertex("importing cache manifest from gha:6264364612648616636", false, Some(3), ""),
                vertex(
                    "importing cache manifest from r.io/a:cache",
                    false,
                    Some(1),
                    "r.io/a:cache: not found",
                ),
                vertex("importing cache manifest from gha:123456789", false, Some(2), "resource_exhausted"),
                vertex("[linux/amd64 1/3] FROM busybox", true, Some(0), ""),
                vertex("[linux/amd64 build 2/3] RUN make", true, Some(0), ""),
                vertex("[ 3/12] COPY . .", false, Some(1), ""),
                vertex("exporting to image", false, Some(1), ""),
            ],
            vec![],
        );
        let unread = |from: &str, why: &str, missing| Unread { from: from.into(), why: why.into(), missing };
        let expected = CacheUse {
            steps: 2,
            cached: 1,
            reading: Duration::from_secs(3),
            unread: vec![
                unread("r.io/a:cache", "r.io/a:cache: not found", true),
                unread("gha", "resource_exhausted", false),
            ],
            first_miss: Some(Miss { step: "[ 3/12] COPY . .".into(), why: Missed::Files }),
        };
        assert_eq!(cache_use(&state), expected);
    }

    #[test]
    fn what_missed_first_and_why() {
        for (steps, expected) in [
            (vec![("[2/3] RUN a", true), ("[3/3] RUN b", true)], None),
            (vec![("[2/3] COPY a .", false), ("[3/3] RUN b", false)], Some(Missed::All)),
            (
                vec![("[1/3] FROM x", false), ("[2/3] RUN a", true), ("[3/3] RUN b", false)],
                Some(Missed::Instruction),
            ),
            (
                vec![("[build 2/3] RUN a", true), ("[3/3] COPY --from=build /a /", false)],
                Some(Missed::From("build".into())),
            ),
            (vec![("[2/3] RUN a", true), ("[3/3] ADD --chown=1 a /", false)], Some(Missed::Files)),
        ] {
            let vertexes = steps.iter().map(|(name, cached)| vertex(name, *cached, Some(1), "")).collect();
            let found = cache_use(&state(vertexes, vec![])).first_miss;
            assert_eq!(found.map(|miss| miss.why), expected, "{steps:?}");
        }
    }

    #[test]
    fn what_was_written() {
        let layer = |name: &str| VertexStatus {
            id: name.into(),
            vertex: "exporting to GitHub Actions Cache".into(),
            ..VertexStatus::default()
        };
        let parts = ["preparing build cache for export", "writing layer sha256:a", "writing layer sha256:b"];
        let state = state(
            vec![
                vertex("[2/2] RUN make", true, Some(0), ""),
                vertex("exporting to GitHub Actions Cache", false, Some(2), "permission_denied"),
            ],
            parts.map(layer).to_vec(),
        );
        let expected = Exported {
            name: "exporting to GitHub Actions Cache".into(),
            time: Duration::from_secs(2),
            layers: vec!["sha256:a".into(), "sha256:b".into()],
            error: Some("permission_denied".into()),
        };
        assert_eq!(exports(&state), [expected]);
    }

    #[test]
    fn layers_that_are_fetched() {
        let layer = |vertex: &str, current, ended: Option<u64>| VertexStatus {
            id: "sha256:7bfc6224cf9c".into(),
            vertex: vertex.into(),
            current,
            completed: ended.map(Duration::from_secs),
            ..VertexStatus::default()
        };
        // BuildKit says that a step is cached, and begins it again to fetch what it made.
        let found = |cached, running, layers: Vec<VertexStatus>| {
            let ended = if running { None } else { Some(1) };
            let [first, second] = [(cached, Some(0)), (false, ended)]
                .map(|(cached, ended)| vertex("[2/4] RUN cp /a /b", cached, ended, ""));
            fetched(&state(vec![first, second], layers))
        };
        let name = "[2/4] RUN cp /a /b";
        assert_eq!(found(true, true, vec![layer(name, 512, None)]), Some(512));
        assert_eq!(found(true, true, vec![layer(name, 512, Some(1))]), None, "it is there");
        assert_eq!(found(true, true, vec![]), None);
        assert_eq!(found(false, true, vec![layer(name, 512, None)]), None, "a program may be silent");
        assert_eq!(found(true, false, vec![layer(name, 512, None)]), None);
    }

    #[test]
    fn a_program_that_runs_again() {
        let again = |name: &str, cached, seconds| {
            running_again(&state(vec![vertex(name, cached, seconds, "")], vec![])).is_some()
        };
        assert!(again("[linux/amd64 2/4] RUN make", false, None));
        assert!(!again("[linux/amd64 2/4] RUN make", true, None));
        assert!(!again("[linux/amd64 2/4] RUN make", false, Some(1)));
        assert!(!again("[internal] load build context", false, None));
        assert!(!again("[2/4] COPY . .", false, None));
    }

    #[test]
    fn a_step_from_the_cache_that_is_unpacked_does_not_run_again() {
        let name = "[linux/amd64 build 1/2] RUN make";
        let again = |error: &str| {
            let found = vertex(name, true, Some(0), error);
            running_again(&state(vec![found, vertex(name, false, None, "")], vec![])).is_some()
        };
        assert!(!again(""));
        assert!(again("failed to load cache"), "what the cache could not give is made again");
    }
}
