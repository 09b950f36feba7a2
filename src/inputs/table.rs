//! The one table of inputs: a row here is what makes a name known.
//!
//! `action.yml`, `dev/action.yml`, `prepare/action.yml`, the reusable workflow and the README's reference are rendered from it
//! and from the list of [`super::outputs`], or checked against them (`reference`). Defaults live in the binary, beside what
//! reads the input, not in `action.yml`: the variables of the original script stand in for an input only when that is empty.

use super::input::{Default, Input, Kind, row};

/// Every input, in the order of the README.
pub const INPUTS: &[Input] = &[
    row(
        "image_name",
        Kind::Text,
        Default::None,
        "Last part of the repository: `ghcr.io/<owner>/<repo>/<image_name>`, lower-cased. Required unless `repository` is given or `push` is `false`.",
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
    row(
        "context",
        Kind::Text,
        Default::Text("."),
        "The build context: a directory in the workspace, or a Git repository or an archive that the builder fetches. With a URL, `dockerfile` is a path in it.",
    )
    .accepts("a path inside the workspace, or `https://github.com/acme/shop.git#main:api`, without credentials")
    .misspelt(&["path"]),
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
        Kind::List,
        Default::None,
        "Whole repository, instead of `registry` and `image_name`; several lines are several targets. A line that ends in `,enable=false` does not count; if none does, nothing is pushed.",
    )
    .accepts("one a line: `docker.io/acme/api`, without a tag, and `,enable=true` or `,enable=false` behind it"),
    row(
        "username",
        Kind::Text,
        Default::Expression("${{ github.actor }}"),
        "User name for the registry. It is sent to the host of `repository` (of its first line), else of `registry`, only.",
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
        "Token for this GitHub server's API and Git contexts, nothing else.",
    )
    .misspelt(&["github_token", "gh_token"]),
    row(
        "registry_auth",
        Kind::Secret,
        Default::None,
        "Logins for more registries, as a YAML list. Each goes to its own host only. Instead of a password an entry can name an identity, which the job's OIDC token proves (`permissions: id-token: write`). An entry without its secret is an error only where the image is pushed to its registry; with `optional: true` that registry is left out.",
    )
    .accepts("entries of `registry` with `username` and `password`; with `aws_role`; with `gcp_provider` and `gcp_service_account`; with `azure_client` and `azure_tenant`; or with `username` and `connection_id` (Docker Hub); and `optional`")
    .misspelt(&["registry_auths", "registries", "logins"]),
    row(
        "aws_role",
        Kind::Text,
        Default::None,
        "Amazon ECR: the role to assume with the job's OIDC token (`permissions: id-token: write`). Without it the keys in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are used, if there are.",
    )
    .accepts("`arn:aws:iam::123456789012:role/push`")
    .misspelt(&["role_to_assume"]),
    row(
        "create_repository",
        Kind::Boolean,
        Default::Text("false"),
        "Amazon ECR: make the repository if it does not exist.",
    ),
    row(
        "tags",
        Kind::List,
        Default::Phrase("the default strategy"),
        "Tags, instead of those of the default strategy: rules as docker/metadata-action takes them, and whole references. `type=default` stands for the default strategy.",
    )
    .accepts("`type=semver,pattern={{version}}`, `type=sha`, a word, or `ghcr.io/acme/api:1.2`, one a line")
    .misspelt(&["tag"]),
    row("flavor", Kind::List, Default::None, "What is so of all rules in `tags`: `latest`, `prefix` and `suffix`.")
        .accepts("`latest=auto|true|false`, `prefix=…`, `suffix=…`, the last two with `,onlatest=true`, one a line")
        .misspelt(&["flavour"]),
    row(
        "platform_tags",
        Kind::List,
        Default::None,
        "Further tags, each on one platform's image: they go where the tag goes that they are made of.",
    )
    .accepts("texts with `{{tag}}`, `{{arch}}`, `{{os}}` and `{{variant}}`, one a line: `{{tag}}-{{arch}}` makes `1.2-amd64` of `1.2`"),
    row(
        "metadata_context",
        Kind::Text,
        Default::Text("workflow"),
        "What tags and labels speak of: the event, or what is checked out, whatever the event is about.",
    )
    .accepts("`workflow` or `git`"),
    row("sha_length", Kind::Text, Default::Text("40"), "Characters of the commit id in the commit tag.")
        .accepts("a whole number from 7 to 64"),
    row(
        "latest_branch",
        Kind::Text,
        Default::Phrase("the repository's default branch, else `main`"),
        "The branch that owns the tag `latest`.",
    ),
    row(
        "existing_version",
        Kind::Text,
        Default::Text("fail"),
        "What to do when a version's tag exists for another commit. For the same commit it is kept, and its image is the run's result.",
    )
    .accepts("`fail` (before anything is built), `skip` or `overwrite`"),
    row(
        "hold_back",
        Kind::Boolean,
        Default::Text("true"),
        "Never move a tag such as `main` or `latest` to an older commit, whichever run ends last.",
    ),
    row(
        "promote",
        Kind::Text,
        Default::Text("auto"),
        "Tag the commit's image that is there already, if it was built from the same inputs, instead of building it again. `auto`: for a Git tag, a release or a `version`.",
    )
    .accepts("`auto`, `only` (fail if there is none) or `never`"),
    row("labels", Kind::List, Default::None, "Labels of the image, added to the OCI defaults. Expressions such as `{{version}}` or `{{date 'YYYY'}}` are replaced.")
        .accepts("`key=value`, one a line")
        .misspelt(&["label"]),
    row(
        "annotations",
        Kind::List,
        Default::None,
        "Annotations of the image, added to the OCI defaults. Without a level they are the manifests'. Expressions as in `labels`.",
    )
    .accepts("`key=value` or `level[,level]:key=value`, one a line; levels are `manifest`, `index`, `manifest-descriptor` and `index-descriptor`, the manifests' also as `manifest[linux/amd64]`")
    .misspelt(&["annotation"]),
    row("build_args", Kind::List, Default::None, "Build arguments. `{{version}}`, `{{tag}}`, `{{branch}}`, `{{revision}}`, `{{sha}}`, `{{created}}` and `{{date '…'}}` in a value are replaced, any other braces stay.")
        .accepts("`KEY=value`, or `KEY` for a variable that `env:` of the workflow, job or step sets, one a line")
        .misspelt(&["build_arg", "buildargs", "args_build"]),
    row(
        "build_contexts",
        Kind::List,
        Default::None,
        "Further build contexts, for `FROM name` and `COPY --from=name`.",
    )
    .accepts("`name=source`, one a line; a source is a directory, `docker-image://alpine:3.22`, a Git or HTTP URL, or `oci-layout://path[:tag]`")
    .misspelt(&["build_context", "contexts"]),
    row(
        "target",
        Kind::Text,
        Default::Phrase("the last stage"),
        "Stage of the Dockerfile to build.",
    ),
    row("no_cache", Kind::Boolean, Default::Text("false"), "Take nothing from the build cache.")
        .misspelt(&["nocache"]),
    row(
        "no_cache_filters",
        Kind::List,
        Default::None,
        "Stages that take nothing from the build cache.",
    )
    .accepts("names of stages, one a line or separated by commas")
    .misspelt(&["no_cache_filter"]),
    row("pull", Kind::Boolean, Default::Text("false"), "Look for newer base images."),
    row(
        "secrets",
        Kind::Secret,
        Default::None,
        "Build secrets, for `RUN --mount=type=secret,id=…`. A line `id=` at its start begins a secret, other lines belong to the one before: values of several lines, PEM and JSON need no quotes.",
    )
    .accepts("`id=value`; in double quotes where a line of the value looks like `id=`, with `\"\"` for a quote")
    .misspelt(&["secret", "build_secrets"]),
    row(
        "secret_envs",
        Kind::List,
        Default::None,
        "Build secrets from variables: those that `env:` of the workflow, job or step sets.",
    )
    .accepts("`id=VARIABLE` or `VARIABLE`, one a line or separated by commas")
    .misspelt(&["secret_env"]),
    row("secret_files", Kind::List, Default::None, "Build secrets from files, bytes as they are.")
        .accepts("`id=path`, one a line; a path in the workspace or in `runner.temp`")
        .misspelt(&["secret_file"]),
    row(
        "ssh",
        Kind::List,
        Default::None,
        "SSH agents or keys, for `RUN --mount=type=ssh`. Without a path the agent of `SSH_AUTH_SOCK`.",
    )
    .accepts("`default`, `id`, `id=socket` or `id=key[,key]`, one a line; paths in the workspace or in `runner.temp`")
    .misspelt(&["ssh_keys"]),
    row("network", Kind::Text, Default::Text("default"), "The network of `RUN` steps.")
        .accepts("`default`, `host` or `none`"),
    row("add_hosts", Kind::List, Default::None, "Lines of `/etc/hosts` in `RUN` steps.")
        .accepts("`host=ip`, `host:ip` or `host=host-gateway`, one a line")
        .misspelt(&["add_host", "extra_hosts"]),
    row("ulimit", Kind::List, Default::None, "Limits of `RUN` steps.")
        .accepts("`nofile=1024:2048`, one a line")
        .misspelt(&["ulimits"]),
    row("shm_size", Kind::Text, Default::None, "Size of `/dev/shm` in `RUN` steps.")
        .accepts("`64m`, `2gb`, or bytes")
        .misspelt(&["shm"]),
    row("cgroup_parent", Kind::Text, Default::None, "Parent of the control groups of `RUN` steps."),
    row("allow", Kind::List, Default::None, "What the build may do that a builder refuses unless told.")
        .accepts("`network.host`, `security.insecure`, `device` or `device=name`, one a line or separated by commas")
        .misspelt(&["entitlements", "allows"]),
    row(
        "provenance",
        Kind::Text,
        Default::Phrase("`mode=min` for several platforms, off for one"),
        "Provenance attestation.",
    )
    .accepts("`true` (which is `mode=min`), `false`, or attributes such as `mode=max`"),
    row(
        "compression",
        Kind::Text,
        Default::Phrase("the builder's"),
        "How the layers are compressed. `force` compresses those of base images anew, too.",
    )
    .accepts("`gzip`, `zstd`, `estargz` or `uncompressed`, with a level and `force` if wanted: `zstd:19,force`"),
    row("sbom", Kind::Text, Default::Text("false"), "SBOM attestation.")
        .accepts("`true`, `false`, or `generator=image`"),
    row("attests", Kind::List, Default::None, "Attestations in BuildKit's grammar.")
        .accepts("`type=provenance,mode=max` or `type=sbom`, one a line")
        .misspelt(&["attest", "attestations"]),
    row(
        "cache",
        Kind::Text,
        Default::Text("auto"),
        "The build cache. `auto`: GitHub's cache when the job has one; its scope is `atomi_platform`, `atomi_service` and `image_name`.",
    )
    .accepts("`auto`, `off`, or one cache to read and write, such as `type=registry,ref=ghcr.io/acme/api:cache`"),
    row("cache_from", Kind::List, Default::None, "More caches to read.")
        .accepts("an image, or `type=gha|registry|local|s3|azblob,…`, one a line")
        .misspelt(&["cache_froms"]),
    row("cache_to", Kind::List, Default::None, "More caches to write.")
        .accepts("an image, or `type=gha|registry|inline|local|s3|azblob,mode=min|max,…`, one a line")
        .misspelt(&["cache_tos"]),
    row(
        "cache_timeout",
        Kind::Text,
        Default::Text("3m"),
        "Longest time for writing the cache, which starts when the image is pushed and tagged.",
    )
    .accepts("`90s`, `3m`, `1h30m`, or seconds"),
    row(
        "builder",
        Kind::List,
        Default::Text("auto"),
        "Who builds. `auto`: the daemon's own BuildKit where that can do the job, else a container. Certificates of a `tcp://` builder can also come as `BUILDER_NODE_0_AUTH_TLS_CACERT`, `…_CERT` and `…_KEY`.",
    )
    .accepts("`auto`, `docker`, `docker-container`, `docker-container://name`, `tcp://host:port[,cacert=file,cert=file,key=file,servername=name]` or `unix:///path`; several nodes as `platform[,platform]=address`, one a line")
    .misspelt(&["builders", "driver", "endpoint"]),
    row(
        "builder_image",
        Kind::Text,
        Default::Phrase("`moby/buildkit` by digest"),
        "Image of the container that builds, when one is made.",
    )
    .accepts("a reference such as `moby/buildkit:rootless`")
    .misspelt(&["driver_opts", "buildkit_image"]),
    row(
        "buildkitd_config",
        Kind::Block,
        Default::None,
        "The `buildkitd.toml` of the container that builds.",
    )
    .accepts("the text, or a path in the workspace")
    .misspelt(&["buildkitd_config_inline", "buildkit_config", "config_inline"]),
    row(
        "builder_keep",
        Kind::Boolean,
        Default::Phrase("kept on GitHub-hosted runners, removed on self-hosted ones"),
        "Keep the container that builds, and its cache, when the run ends.",
    )
    .misspelt(&["keep_state", "keep_builder"]),
    row(
        "emulation",
        Kind::Text,
        Default::Text("auto"),
        "Register QEMU for platforms that the builder cannot run, and only for those.",
    )
    .accepts("`auto` or `off`")
    .misspelt(&["qemu"]),
    row(
        "emulator_image",
        Kind::Text,
        Default::Phrase("`tonistiigi/binfmt` by digest"),
        "Image that registers QEMU.",
    )
    .accepts("a reference such as `tonistiigi/binfmt:latest`")
    .misspelt(&["binfmt_image", "qemu_image"]),
    row(
        "push",
        Kind::Text,
        Default::Text("auto"),
        "Whether to push. `auto`: as the event says; pull requests from forks build without a push.",
    )
    .accepts("`auto`, `true` or `false`"),
    row(
        "verify",
        Kind::List,
        Default::None,
        "Commands that the image must pass before it gets a tag. Each line is the arguments of one `docker run --rm IMAGE …` that must exit with 0; quotes as in a shell, but nothing is expanded. `healthcheck` starts the image and waits until its `HEALTHCHECK`, or an exposed port, says that it is well. The file system is read-only but for `/tmp`, and there are no privileges.",
    )
    .accepts("`migrate validate`, `sh -c 'a && b'`, or `healthcheck`, one a line")
    .misspelt(&["verification", "verify_command", "smoke_test"]),
    row(
        "verify_platforms",
        Kind::List,
        Default::Phrase("the runner's own"),
        "Platforms of the image that are verified. A foreign one needs emulation.",
    )
    .accepts("some of `platform`, one a line or separated by commas")
    .misspelt(&["verify_platform"]),
    row("verify_env", Kind::List, Default::None, "Variables of the containers that verify. No value is shown anywhere.")
        .accepts("`KEY=value`, or `KEY` for a variable that `env:` of the workflow, job or step sets, one a line")
        .misspelt(&["verify_envs"]),
    row("verify_network", Kind::Text, Default::Text("none"), "The network of the containers that verify.")
        .accepts("`none`, `bridge`, `host`, or a network of the daemon, such as `${{ job.services.db.network }}`"),
    row(
        "verify_timeout",
        Kind::Text,
        Default::Text("60s"),
        "Longest time for each line of `verify`. What still runs then is killed, and has failed.",
    )
    .accepts("`90s`, `3m`, `1h30m`, or seconds"),
    row(
        "load",
        Kind::Boolean,
        Default::Text("false"),
        "Also into the local Docker daemon, under its tags, for the steps that follow. Several platforms where the daemon can hold them (containerd image store), else the runner's own.",
    ),
    row(
        "archive",
        Kind::Text,
        Default::None,
        "Also to this file, which `docker load` and `podman load` take: all platforms, under the image's tags. Its SHA-256 stands beside it, in a file that `sha256sum --check` takes. The file is there whole or not at all. Without `push` no registry and no login is needed.",
    )
    .accepts("a path in the workspace or in `runner.temp` that ends in `.tar`, `.tar.gz` or `.tar.zst`")
    .misspelt(&["archives", "archive_path", "tarball", "save"]),
    row(
        "outputs",
        Kind::List,
        Default::None,
        "What else is made of the build's result, in buildx's grammar, beside the push: its files (`local`, `tar`), the image as an OCI layout or as Docker's archive. Where the image goes is said by `repository`, `tags` and `push`.",
    )
    .accepts("`type=local,dest=dist`, `type=tar,dest=files.tar`, `type=oci,dest=layout,tar=false` or `type=docker,dest=image.tar`, or a directory alone, one a line; paths in the workspace or in `runner.temp`")
    .misspelt(&["output", "export", "exports", "exporters"]),
    row(
        "mode",
        Kind::Text,
        Default::Text("build"),
        "What this job does. `leg`: it builds one platform of an image, pushes it by digest and records it in the registry. `merge`: it joins the legs of the same run for all of `platform` and puts the tags; it needs no Dockerfile and no builder. `stage`: it builds all platforms and pushes them by digest, without a tag, for a test or a scan; then `tag`: it puts the tags on the image that `from` names; it needs no checkout either. `check`: it has the Dockerfile checked as `docker build --check` does, and builds and pushes nothing; `image_name` is not needed.",
    )
    .accepts("`build`, `leg`, `merge`, `stage`, `tag` or `check`")
    .misspelt(&["call"]),
    row(
        "check_level",
        Kind::Text,
        Default::Text("error"),
        "With `mode: check`: what fails the job. `error`: a Dockerfile that could not be built; findings are warnings, unless its `# check=error=true` says otherwise. `warning`: any finding. `none`: nothing that is found.",
    )
    .accepts("`error`, `warning` or `none`")
    .misspelt(&["lint_fail_on", "failure_threshold"]),
    row(
        "from",
        Kind::Text,
        Default::None,
        "With `mode: tag`: the image that gets the tags, as it is; copied where they are for another repository. With one platform in `platform` it is that one of it. Its commit is the one that it says it was built from.",
    )
    .accepts("a whole reference: `ghcr.io/acme/api:main`, or `ghcr.io/acme/api@sha256:…`"),
    row(
        "deploy",
        Kind::Block,
        Default::None,
        "Environments that are to run the image, as a YAML list: when it is published, each gets a pull request that sets its tag and digest, and one that is open already is moved on. Never one for an older image.",
    )
    .accepts("entries of `repository`, `path` and `image`, and more: docs/deploy.md")
    .misspelt(&["deployments", "environments"]),
    row(
        "deploy_token",
        Kind::Secret,
        Default::Phrase("`token`, for the run's own repository only"),
        "Token for the repositories in `deploy`, on this GitHub server: it needs to write their contents and pull requests.",
    )
    .misspelt(&["deploy_pat"]),
    row(
        "deploy_app_id",
        Kind::Text,
        Default::None,
        "Instead of `deploy_token`: a GitHub App that is installed there. Its key buys a token for exactly these repositories.",
    )
    .accepts("the App's id or client id"),
    row(
        "deploy_app_key",
        Kind::Secret,
        Default::None,
        "The private key of that App.",
    )
    .accepts("the text of the PEM file")
    .misspelt(&["deploy_app_private_key"]),
    row(
        "dry_run",
        Kind::Boolean,
        Default::Text("false"),
        "Print the plan and stop: nothing is built, pushed or changed.",
    ),
    row("summary", Kind::Boolean, Default::Text("true"), "Write a job summary.")
        .misspelt(&["build_summary"]),
    row(
        "retries",
        Kind::Text,
        Default::Text("auto"),
        "How often a push that failed is tried again. No build step runs again for it. `auto`: as long as it is of use, \
         for up to five minutes.",
    )
    .accepts("`auto`, `0` for never, or a number of attempts (the same five minutes at most)")
    .misspelt(&["retry", "push_retries", "max_retries"]),
];

/// The inputs of `prepare/action.yml`, in the order of [`INPUTS`]: those that decide who builds and where emulators are
/// missing. No secret is among them.
pub const PREPARE: &[&str] = &[
    "platform",
    "registry",
    "repository",
    "allow",
    "builder",
    "builder_image",
    "buildkitd_config",
    "builder_keep",
    "emulation",
    "emulator_image",
    "push",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_once() {
        let mut names: Vec<&str> = INPUTS.iter().map(|input| input.name).collect();
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
