//! The one list of outputs: `action.yml` and the README's reference are rendered from it or checked against it.

/// Every output with what it holds.
pub const OUTPUTS: &[(&str, &str)] = &[
    ("image", "The repository, `ghcr.io/acme/shop/api`; the first of several."),
    ("reference", "The image by digest, `<image>@sha256:…`. Empty when nothing was pushed."),
    ("digest", "Digest of the image, or of the index for several platforms."),
    ("imageid", "Digest of the image's config. Empty for several platforms."),
    ("tags", "Whole references by tag, of all repositories, one a line."),
    ("tag_names", "The tags alone, one a line."),
    ("tag", "The most specific tag."),
    ("version", "The version, where there is one."),
    (
        "labels",
        "The labels that the run gives an image, `key=value`, one a line. One that was promoted keeps its own; with `mode: tag` these are its own.",
    ),
    (
        "annotations",
        "The annotations that the run gives an image, `level:key=value`, one a line. One that was promoted keeps its own; with `mode: tag` these are its own.",
    ),
    ("json", "Tags, labels and annotations as JSON, in the shape of docker/metadata-action's output `json`."),
    (
        "bake_file",
        "Path of a file for `docker buildx bake`, in the shape of docker/metadata-action's: its target \
         `docker-metadata-action` has the tags, the labels and the manifests' annotations. Empty when the run failed.",
    ),
    (
        "metadata",
        "JSON, read from the registry after the push: digests and sizes of the index, of each platform's manifest and \
         config, and of the attestations. Where there are several repositories, `repositories` has the same of each.",
    ),
    ("pushed", "`true` when the image was pushed, to every repository."),
    ("promoted", "`true` when an image that was there already was tagged, and nothing was built."),
    (
        "held_back",
        "JSON: tags that were not put or moved, each with the reason and, where there are several, the repository.",
    ),
    (
        "archive",
        "The file of `archive`, as the next steps of the job know it. Its SHA-256 is in a file of the same name with `.sha256` behind it.",
    ),
    (
        "pull_requests",
        "JSON: what became of each environment in `deploy` that this run deploys to: `action` (`opened`, `updated`, `closed`, \
         `committed`, `dispatched`, `unchanged`, `held_back` or `failed`), the `reason`, and `number` and `url` of its pull \
         request.",
    ),
    ("plan", "JSON: what was planned, with the reason for each tag."),
];
