//! What to build: the whole request to BuildKit as a value, without a handle and without a secret.

use std::collections::BTreeMap;

use crate::inputs::config::Dockerfile;
use crate::model::attrs::Attrs;
use crate::model::{
    Annotation, AnnotationLevel, Attestation, CacheEntry, CommitId, Compression, ContextSource, Digest,
    ExporterKind, NamedContext, Platform, Repository, RunOptions, Targets,
};

/// One build. The engine carries it out; it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPlan {
    /// The build context.
    pub context: ContextSource,
    /// The commit that a Git context's ref was found at: the builder refuses any other.
    pub context_commit: Option<CommitId>,
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// Its path in the run's repository, where annotations point to; none if it is not there.
    pub dockerfile_place: Option<String>,
    /// Further contexts, in order.
    pub named_contexts: Vec<NamedContext>,
    /// What to build for, at least one.
    pub platforms: Vec<Platform>,
    /// Stage to build; the last one if absent.
    pub target: Option<String>,
    /// Build arguments in order.
    pub build_args: Vec<(String, String)>,
    /// Names of the build arguments that are proxies of Docker's configuration, in order. Their values are in the keyring,
    /// as they may hold a password; no trace of them is in the image, so that they make no other image.
    pub proxies: Vec<String>,
    /// Labels of the image's config.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the image, in order.
    pub annotations: Vec<Annotation>,
    /// Attestations to make.
    pub attestations: Vec<Attestation>,
    /// Take nothing from the cache.
    pub no_cache: bool,
    /// Stages that take nothing from the cache.
    pub no_cache_filters: Vec<String>,
    /// Look for newer base images.
    pub pull: bool,
    /// How steps run.
    pub run: RunOptions,
    /// What the builder has to allow: `network.host`, `security.insecure`, `device`.
    pub entitlements: Vec<String>,
    /// Ids of the secrets that the session has.
    pub secrets: Vec<String>,
    /// Those of them that are the input `token`: for contexts that BuildKit fetches from this GitHub server.
    pub token_secrets: Vec<String>,
    /// Where the sources are and which commit: what provenance says of them.
    pub source: Option<VersionControl>,
    /// Ids of the SSH agents that the session has.
    pub ssh: Vec<String>,
    /// Where the cache is read from.
    pub cache_from: Vec<CacheEntry>,
    /// Where the cache is written to, in the same solve.
    pub cache_to: Vec<CacheEntry>,
    /// Unix seconds that `created` of config and history says: the commit's time, when known.
    pub source_date_epoch: Option<i64>,
    /// Names the context to the daemon, so that the next build of the same one sends only what changed.
    pub shared_key: String,
    /// Images that an earlier solve of the same build resolved: this one takes them and no newer ones.
    pub pinned: Vec<PinnedImage>,
    /// How its layers are compressed; absent where that is the builder's choice.
    pub compression: Option<Compression>,
    /// What becomes of the result.
    pub export: Export,
}

impl BuildPlan {
    /// The plan of a build that is asked for nothing but platforms, and whose steps run to no end.
    pub fn new(context: ContextSource, dockerfile: Dockerfile, platforms: Vec<Platform>) -> Self {
        Self {
            context,
            context_commit: None,
            dockerfile_place: None,
            dockerfile,
            named_contexts: Vec::new(),
            platforms,
            target: None,
            build_args: Vec::new(),
            proxies: Vec::new(),
            labels: BTreeMap::new(),
            annotations: Vec::new(),
            attestations: Vec::new(),
            no_cache: false,
            no_cache_filters: Vec::new(),
            pull: false,
            run: RunOptions::default(),
            entitlements: Vec::new(),
            secrets: Vec::new(),
            token_secrets: Vec::new(),
            source: None,
            ssh: Vec::new(),
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            source_date_epoch: None,
            shared_key: String::new(),
            pinned: Vec::new(),
            compression: None,
            export: Export::Nothing,
        }
    }

    /// The same build once more, for what it exports: everything that it would do has been done, so that nothing runs.
    #[must_use]
    pub fn again(self) -> Self {
        Self { no_cache: false, no_cache_filters: Vec::new(), pull: false, ..self }
    }

    /// The same build for the other repositories, if there are any: one would not take the image.
    pub fn without(&self, target: &Repository) -> Option<Self> {
        let Export::PushByDigest(targets) = &self.export else { return None };
        let rest = targets.without(std::slice::from_ref(target))?;
        Some(Self { export: Export::PushByDigest(rest), ..self.clone() })
    }

    /// The build once more for its cache, which is written to these places: everything that it would do has been done.
    #[must_use]
    pub fn for_cache(self, to: Vec<CacheEntry>) -> Self {
        Self {
            attestations: Vec::new(),
            annotations: Vec::new(),
            cache_to: to,
            compression: None,
            export: Export::Nothing,
            ..self.again()
        }
    }

    /// The build once more for one platform's image, which goes there: everything that it would do has been done. Nothing hangs
    /// on that image but what is in its config, which is the same.
    #[must_use]
    pub fn for_one(self, platform: &Platform, export: Export) -> Self {
        Self {
            platforms: vec![platform.clone()],
            attestations: Vec::new(),
            annotations: Vec::new(),
            cache_to: Vec::new(),
            export,
            ..self.again()
        }
    }

    /// Whether there will be an index. Else the image is one manifest.
    pub fn has_index(&self) -> bool {
        let asked = |(name, value): &(String, String)| name == "BUILDKIT_MULTI_PLATFORM" && is_true(value);
        self.platforms.len() > 1 || !self.attestations.is_empty() || self.build_args.iter().any(asked)
    }

    /// Whether there is a document of this level. Without an index BuildKit refuses annotations of it.
    pub fn holds(&self, level: AnnotationLevel) -> bool {
        level == AnnotationLevel::Manifest || self.has_index()
    }
}

/// An image and what its tag meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedImage {
    /// Its whole name, `docker.io/library/busybox:1`.
    pub name: String,
    /// What that was.
    pub digest: Digest,
}

/// A commit in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionControl {
    /// The repository's page.
    pub url: String,
    /// The commit.
    pub revision: CommitId,
}

/// What becomes of a build's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// Pushed by digest, under no tag, to each of these.
    PushByDigest(Targets),
    /// The image is made, so that its digest is known, and goes nowhere.
    Digest,
    /// The steps run, no image is made (the daemon without the containerd image store).
    Nothing,
    /// Put into the store of the daemon whose own BuildKit builds, under these names.
    Store(Vec<String>),
    /// Made what this exporter makes, with these attributes, which comes through the session.
    Output {
        /// Which.
        kind: ExporterKind,
        /// Its attributes, as they were asked for.
        attrs: Attrs,
    },
    /// Made an OCI layout without a name, which comes through the session: whoever takes it writes an archive of its blobs.
    Layout,
    /// Made an archive that a daemon loads, under these names, which comes through the session. Of several platforms it is an
    /// OCI layout, else Docker's own.
    Archive(Vec<String>),
}

impl Export {
    /// Whether it makes an image, which has a digest.
    pub fn is_image(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Output { kind, .. } => kind.is_image(),
            Self::PushByDigest(_) | Self::Digest | Self::Store(_) | Self::Layout | Self::Archive(_) => true,
        }
    }
}

/// Go's `ParseBool`, as BuildKit reads its flags.
pub(super) fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}
