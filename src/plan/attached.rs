//! What hangs on an image besides its content: annotations and attestations.
//!
//! Obeys BuildKit's exporter (`exporter/containerimage`): an index exists for several platforms, for attestations, or
//! where the build argument `BUILDKIT_MULTI_PLATFORM` asks for one, and without it index annotations fail the build.
//! So they are left out there, with a warning.

use std::collections::BTreeMap;

use super::build::{BuildPlan, is_true};
use super::error::PlanError;
use crate::inputs::config::{AttestationInput, BuildOptions};
use crate::metadata::labels;
use crate::model::stamp::RunNumber;
use crate::model::{Annotation, AnnotationLevel, Attestation, Platform, Stamp, sort_by};
use crate::runner::context::Run;

/// Who built it, in a statement of provenance (SLSA's `builder.id`).
const BUILDER_ID: &str = "builder-id";
const PROVENANCE: &str = "provenance";

/// The attestations to make, one of a kind: `attests`, over which the inputs of one kind win.
///
/// Provenance is made for images of several platforms, where an index is needed anyway, and else only if asked for.
/// Without a mode it is `min`: BuildKit's own default, `max`, publishes build arguments, the Dockerfile and every
/// command.
pub(super) fn attestations(options: &BuildOptions, several: bool, run: &str) -> Vec<Attestation> {
    let mut kinds: BTreeMap<String, Option<BTreeMap<String, String>>> = BTreeMap::new();
    if several {
        // `inline-only`: an archive of the same build stays without it, as with buildx.
        let attrs = [("mode", "min"), ("inline-only", "true")].map(|(key, value)| (key.into(), value.into()));
        kinds.insert(PROVENANCE.into(), Some(attrs.into()));
    }
    for asked in &options.attests {
        kinds.insert(asked.kind.clone(), Some(asked.attrs.clone()));
    }
    for (kind, input) in [(PROVENANCE, &options.provenance), ("sbom", &options.sbom)] {
        match input {
            AttestationInput::Auto => {}
            AttestationInput::Off => {
                kinds.insert(kind.into(), None);
            }
            AttestationInput::On(attrs) => {
                kinds.insert(kind.into(), Some(attrs.clone()));
            }
        }
    }
    if let Some(Some(attrs)) = kinds.get_mut(PROVENANCE) {
        attrs.entry("mode".into()).or_insert_with(|| "min".into());
        if !run.is_empty() {
            attrs.entry(BUILDER_ID.into()).or_insert_with(|| run.to_owned());
        }
    }
    kinds.into_iter().filter_map(|(kind, attrs)| Some(Attestation { kind, attrs: attrs? })).collect()
}

/// The run, for the image to say it, if no other run could make the same bytes: its provenance says when it was built, or
/// by whom. Two runs of one commit are told apart by it.
pub(super) fn run_of(attestations: &[Attestation], run: &Run) -> Option<RunNumber> {
    let provenance = attestations.iter().find(|one| one.kind == PROVENANCE)?;
    let reproducible = provenance.attrs.get("reproducible").is_some_and(|text| is_true(text));
    let says_run = !run.url.is_empty() && provenance.attrs.get(BUILDER_ID) == Some(&run.url);
    let own = !reproducible || says_run;
    (own && run.id > 0).then_some(RunNumber { id: run.id, attempt: run.attempt })
}

/// The documents of an image, as far as annotations are concerned.
pub(super) struct Carrier<'a> {
    /// The labels of its configs.
    pub labels: &'a BTreeMap<String, String>,
    /// Its platforms.
    pub platforms: &'a [Platform],
    /// It has an index. Else it is one manifest.
    pub has_index: bool,
}

impl<'a> From<&'a BuildPlan> for Carrier<'a> {
    fn from(build: &'a BuildPlan) -> Self {
        Self { labels: &build.labels, platforms: &build.platforms, has_index: build.has_index() }
    }
}

impl Carrier<'_> {
    fn holds(&self, level: AnnotationLevel) -> bool {
        level == AnnotationLevel::Manifest || self.has_index
    }
}

/// The annotations of this image: the OCI labels on the manifests and, where there is one, on the index, which is the
/// only place where GHCR looks for an index's description, or on the `levels` that were asked for; our own, for later runs;
/// then the user's, which win.
///
/// What no document of this image could hold is left out, with a warning.
pub(super) fn annotations(
    image: &Carrier<'_>,
    stamp: &Stamp,
    (asked, levels): (&[Annotation], &[AnnotationLevel]),
    warnings: &mut Vec<String>,
) -> Result<Vec<Annotation>, PlanError> {
    let levels =
        if levels.is_empty() { &[AnnotationLevel::Manifest, AnnotationLevel::Index] } else { levels };
    let levels: Vec<AnnotationLevel> = levels.iter().copied().filter(|level| image.holds(*level)).collect();
    if levels.is_empty() {
        warnings.push(
            "`DOCKER_METADATA_ANNOTATIONS_LEVELS`: there are no default annotations, as this image has no index to hold them"
                .into(),
        );
    }
    let oci = image.labels.iter().filter(|(key, value)| key.starts_with(labels::OCI) && !value.is_empty());
    let defaults = oci.flat_map(|(key, value)| {
        levels.iter().map(|level| Annotation {
            level: *level,
            platform: None,
            key: key.clone(),
            value: value.clone(),
        })
    });
    // Once, where a later run looks first: what platforms have in common stays the same under every ref.
    let top = if image.has_index { AnnotationLevel::Index } else { AnnotationLevel::Manifest };
    let ours = stamp.annotations().into_iter().map(|(key, value)| Annotation {
        level: top,
        platform: None,
        key: key.to_owned(),
        value,
    });
    let mut chosen: Vec<Annotation> = Vec::new();
    let mut homeless = Vec::new();
    for annotation in defaults.chain(ours).chain(asked.iter().cloned()) {
        if let Some(platform) = annotation.platform.as_ref().filter(|one| !image.platforms.contains(one)) {
            return Err(PlanError::AnnotatesOther {
                key: annotation.key,
                platform: platform.clone(),
                built: image.platforms.to_vec(),
            });
        }
        if !image.holds(annotation.level) {
            homeless.push(annotation.key);
            continue;
        }
        match chosen.iter_mut().find(|known| place(known) == place(&annotation)) {
            Some(known) => known.value = annotation.value,
            None => chosen.push(annotation),
        }
    }
    if !homeless.is_empty() {
        homeless.dedup();
        warnings.push(format!(
            "`annotations`: {} left out: this image has no index to hold them (several platforms have one; of one platform `provenance: true` or the build argument `BUILDKIT_MULTI_PLATFORM=1` makes one)",
            homeless.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
        ));
    }
    sort_by(&mut chosen, |a, b| place(a).cmp(&place(b)));
    Ok(chosen)
}

/// Where an annotation is, and under which key.
pub(super) fn place(annotation: &Annotation) -> (AnnotationLevel, Option<&Platform>, &str) {
    (annotation.level, annotation.platform.as_ref(), &annotation.key)
}
