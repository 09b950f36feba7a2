//! Build, tag and push container images from GitHub in one step: a native BuildKit client as a container action.
//!
//! # Bird's-eye view
//!
//! A run reads the world once, decides, acts, and reports, in this order and never back:
//!
//! ```text
//! environment + event  ─► RawInputs, RunnerContext ─► Config (nothing secret) + Keyring (all that is)
//! gather::all          ─► Facts: metadata (tags with reasons, labels), targets, builders, Dockerfile, cache, a given image
//! Config + Facts       ─► RunPlan, checked: where the image comes from, where it goes, what else is made of it
//! obtain::image        ─► Image: built, promoted, merged or given; a digest in each registry, under no tag
//! verify::all          ─► run by that digest, as planned; a failure ends the run, and no tag has moved
//! publish::all         ─► for each repository PublishPlan ─► Steps ─► tags on the digest, the image re-read
//! export::all          ─► what else the plan names: the local daemon, the build cache, files
//! deploy::all          ─► for each environment DeploySteps ─► a pull request, a commit or an event
//! Report               ─► outputs, job summary, annotations, exit code
//! ```
//!
//! `engine::execute` is that list. Everything up to the plan is free of side effects, so `dry_run` is the same run, ended
//! there. What is done when the first attempt fails (without a cache, without one repository) stands in the plan, too.
//!
//! # Code map
//!
//! | room | owns |
//! |---|---|
//! | [`model`] | the vocabulary: references, digests, tags, platforms, targets, secrets and their keyring; what exists is valid. What makes a text or an error of others a part of a message |
//! | [`inputs`] | from `INPUT_*` to [`inputs::config::Config`]; one table makes `action.yml` and the README |
//! | [`runner`] | the GitHub runner: event payloads, workflow commands, output files, the summary, paths |
//! | [`git`] | what is checked out, read natively |
//! | [`github`] | GitHub's API: what a payload leaves open, and what deployments change |
//! | [`rules`] | the language of `tags` and `flavor`: rules, whole references, expressions |
//! | [`metadata`] | which tags and labels, and why: pure |
//! | [`plan`] | what will be done and what instead, as one value that prints and checks itself: pure |
//! | [`kustomize`] | the files that say which image an environment runs: read, and edited byte for byte: pure |
//! | [`context`] | the local build context: `.dockerignore`, walk, file metadata |
//! | [`files`] | what is written into the workspace: archives whole or not at all, compressed in parallel; tar, OCI layouts; owners |
//! | [`buildkit`] | the BuildKit client: connection, session, solve, status, the sender of files |
//! | [`docker`] | the daemon's API: our own container, the relay to a registry on the host's loopback, emulators, what its machine runs, containers of an image that is verified, loading |
//! | [`net`] | connections to hosts, for every HTTP client of ours: proxies, and whom TLS trusts |
//! | [`registry`] | the OCI distribution protocol: logins, manifests, tags |
//! | [`login`] | identities exchanged for logins: OIDC, AWS, Google, Azure, Docker Hub |
//! | [`progress`] | the build's status stream folded into a state and rendered as a log; the only writer to the terminal |
//! | [`engine`] | the effects, phase by phase: `gather`, `obtain`, `verify`, `publish`, `export`, `deploy`, `report` |
//! | [`error`] | the errors of a run and their one printer |
//!
//! Dependencies point one way, `model ← kustomize, rules, inputs, runner, metadata, context, plan, progress, files ← net ← buildkit, docker,
//! registry, github, git ← login ← engine ← main`; a test reads the `use` lines and holds them to it.
//!
//! # Invariants
//!
//! - Plans are values without handles and secrets. The engine carries them out and decides nothing about *what*.
//! - Foreign types stop at the door: bollard in `docker`, tonic and prost in `buildkit` (and `context`'s file records),
//!   octocrab in `github`, gix in `git`, envy in `inputs`.
//! - Only `main` reads the environment, the clock, randomness and signals; only [`progress::reporter`] writes to the terminal.
//! - A tag is put only on a digest that is in the registry. Whatever ends a run, each tag is either old or new.
//! - A [`model::Secret`] cannot be printed and is masked before the first line of the log. It goes to its own host only.
//!   Logins, tokens and the values of build secrets are in the [`model::Keyring`] and nowhere else; a login that ended is
//!   renewed there, in place. A token that an App's key buys is in the client of its one repository.
//! - What is written to an environment's repository is written only if nobody has written there since it was read.
//! - A phase is given the run and the values of those before it, and hands on one value; the report is only written.
//! - Being told to stop is heard in one place, `engine/run.rs`.
//! - Text from outside (build output, branch names, registries, daemons) is hostile: what becomes a part of a message passes
//!   one of the policies of [`model::text`], and `runner::untrusted` or `runner::markdown` before a person or the runner reads
//!   it.
//! - Every task and thread is owned, joined or ended with its owner; every wait is bounded.

pub mod buildkit;
pub mod context;
pub mod docker;
pub mod engine;
pub mod error;
pub mod files;
pub mod git;
pub mod github;
pub mod inputs;
pub mod kustomize;
pub mod login;
pub mod metadata;
pub mod model;
pub mod net;
pub mod plan;
pub mod progress;
pub mod registry;
pub mod rules;
pub mod runner;
