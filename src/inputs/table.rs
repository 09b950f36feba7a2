//! The one table of inputs and outputs: a row here is what makes a name known.
//!
//! `action.yml`, `dev/action.yml`, the reusable workflow and the README's reference are rendered from it or
//! checked against it (`reference`). Defaults live in the binary (`config`), not in `action.yml`: the variables
//! of the original script stand in for an input only when that is empty.

/// One input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// As in `with:`.
    pub name: &'static str,
    /// What an empty one means.
    pub default: Default,
    /// Shape of the text.
    pub kind: Kind,
    /// One or two sentences.
    pub description: &'static str,
    /// What it takes, with an example; empty where the description says it.
    pub accepts: &'static str,
    /// How Docker's own actions, or people in a hurry, spell it.
    pub misspelt: &'static [&'static str],
}

/// What an empty input means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing.
    None,
    /// This text.
    Text(&'static str),
    /// What this phrase says, found out during the run.
    Phrase(&'static str),
    /// Filled in by the runner: the only defaults that `action.yml` declares.
    Expression(&'static str),
}

/// Shape of an input's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line.
    Text,
    /// One entry a line; lines that start with `#` are comments.
    List,
    /// Exactly `true`, `True`, `TRUE`, `false`, `False` or `FALSE`.
    Boolean,
    /// Text that is masked and never shown.
    Secret,
}

const fn row(name: &'static str, kind: Kind, default: Default, description: &'static str) -> Input {
    Input { name, default, kind, description, accepts: "", misspelt: &[] }
}

impl Input {
    const fn accepts(self, accepts: &'static str) -> Self {
        Self { accepts, ..self }
    }

    const fn misspelt(self, misspelt: &'static [&'static str]) -> Self {
        Self { misspelt, ..self }
    }
}

/// Every input, in the order of the README.
pub const INPUTS: &[Input] = &[
    row(
        "image_name",
        Kind::Text,
        Default::None,
        "Last part of the repository: `ghcr.io/<owner>/<repo>/<image_name>`, lower-cased. Required unless `repository` is given.",
    )
    .accepts("`api`, `tools/migrate`")
    .misspelt(&["image", "images", "name"]),
    row(
        "dockerfile",
        Kind::Text,
        Default::Text("Dockerfile"),
        "Path of the Dockerfile, tried relative to the workspace, then to the context. When both exist the workspace's wins, with a warning.",
    )
    .accepts("a path inside the workspace")
    .misspelt(&["file", "docker_file"]),
    row("context", Kind::Text, Default::Text("."), "The build context: a directory in the workspace.")
        .accepts("a path inside the workspace")
        .misspelt(&["path", "build_context"]),
    row("platform", Kind::List, Default::Text("linux/arm64,linux/amd64"), "Platforms to build.")
        .accepts("`os/arch[/variant]`, one a line or separated by commas")
        .misspelt(&["platforms"]),
    row(
        "version",
        Kind::Text,
        Default::None,
        "Version of a release: adds the tag `v1.2.3`. `auto` takes it from Git.",
    )
    .accepts("a semantic version with or without a leading `v`, or `auto`"),
    row(
        "atomi_platform",
        Kind::Text,
        Default::Phrase("the repository's owner"),
        "First part of the build cache's namespace.",
    ),
    row(
        "atomi_service",
        Kind::Text,
        Default::Phrase("the repository's name"),
        "Second part of the build cache's namespace.",
    ),
    row("registry", Kind::Text, Default::Text("ghcr.io"), "Registry to push to.")
        .accepts("`host` or `host:port`, without `https://` and without a path"),
    row(
        "repository",
        Kind::Text,
        Default::None,
        "Whole repository, instead of `registry` and `image_name`.",
    )
    .accepts("`docker.io/acme/api`, without a tag"),
    row(
        "username",
        Kind::Text,
        Default::Expression("${{ github.actor }}"),
        "User name for the registry. It is sent to the host of `repository`, else of `registry`, only.",
    )
    .misspelt(&["user", "docker_username"]),
    row(
        "password",
        Kind::Secret,
        Default::Expression("${{ github.token }}"),
        "Password or token for the registry. The default is for GitHub's own registry and is never sent to another.",
    )
    .misspelt(&["docker_password"]),
    row(
        "token",
        Kind::Secret,
        Default::Expression("${{ github.token }}"),
        "Token for this GitHub server's API, nothing else.",
    )
    .misspelt(&["github_token", "gh_token"]),
    row("sha_length", Kind::Text, Default::Text("40"), "Characters of the commit id in the commit tag.")
        .accepts("a whole number from 7 to 64"),
    row(
        "latest_branch",
        Kind::Text,
        Default::Phrase("the repository's default branch, else `main`"),
        "The branch that owns the tag `latest`.",
    ),
    row("labels", Kind::List, Default::None, "Labels of the image, added to the OCI defaults.")
        .accepts("`key=value`, one a line")
        .misspelt(&["label"]),
    row("build_args", Kind::List, Default::None, "Build arguments.")
        .accepts("`KEY=value`, one a line")
        .misspelt(&["build_arg", "buildargs", "args_build"]),
    row(
        "target",
        Kind::Text,
        Default::Phrase("the last stage"),
        "Stage of the Dockerfile to build.",
    ),
    row("no_cache", Kind::Boolean, Default::Text("false"), "Take nothing from the build cache.")
        .misspelt(&["nocache"]),
    row("pull", Kind::Boolean, Default::Text("false"), "Look for newer base images."),
    row(
        "push",
        Kind::Text,
        Default::Text("auto"),
        "Whether to push. `auto`: as the event says; pull requests from forks build without a push.",
    )
    .accepts("`auto`, `true` or `false`"),
    row(
        "dry_run",
        Kind::Boolean,
        Default::Text("false"),
        "Print the plan and stop: nothing is built, pushed or changed.",
    ),
    row("summary", Kind::Boolean, Default::Text("true"), "Write a job summary.")
        .misspelt(&["build_summary"]),
];

/// Names that are promised but that this version does not know yet.
pub(super) const LATER: &[&str] = &[
    "registry_auth",
    "aws_role",
    "create_repository",
    "tags",
    "flavor",
    "existing_version",
    "hold_back",
    "annotations",
    "build_contexts",
    "secrets",
    "secret_envs",
    "secret_files",
    "ssh",
    "network",
    "add_hosts",
    "ulimit",
    "shm_size",
    "cgroup_parent",
    "allow",
    "no_cache_filters",
    "outputs",
    "provenance",
    "sbom",
    "attests",
    "cache",
    "cache_from",
    "cache_to",
    "cache_timeout",
    "builder",
    "builder_image",
    "buildkitd_config",
    "builder_keep",
    "emulation",
    "emulator_image",
    "promote",
    "verify",
    "verify_platforms",
    "verify_env",
    "verify_network",
    "verify_timeout",
    "load",
    "archive",
    "mode",
    "check_level",
    "deploy",
    "deploy_token",
    "deploy_app_id",
    "deploy_app_key",
    "retries",
];

/// Every output with what it holds.
pub const OUTPUTS: &[(&str, &str)] = &[
    ("image", "The repository, `ghcr.io/acme/shop/api`."),
    ("reference", "The image by digest, `<image>@sha256:…`. Empty when nothing was pushed."),
    ("digest", "Digest of the image, or of the index for several platforms."),
    ("imageid", "Digest of the image's config. Empty for several platforms."),
    ("tags", "Whole references by tag, one a line."),
    ("tag_names", "The tags alone, one a line."),
    ("tag", "The most specific tag."),
    ("version", "The version, where there is one."),
    ("labels", "The image's labels, `key=value`, one a line."),
    ("metadata", "JSON: digests and sizes of the index and of each platform."),
    ("pushed", "`true` when the image was pushed."),
    ("plan", "JSON: what was planned, with the reason for each tag."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_once() {
        let mut names: Vec<&str> = INPUTS.iter().map(|input| input.name).collect();
        names.extend(LATER);
        names.extend(INPUTS.iter().flat_map(|input| input.misspelt));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        // Docker actions always have these two; the runner takes them.
        assert!(!names.contains(&"args") && !names.contains(&"entrypoint"));
    }
}
