//! The image beside the one that the tag people follow was on before: sizes by platform and by layer.

use super::account::{Account, Previous};
use super::moved::{SHOWN, comparison_with};
use super::target::TargetOutcome;
use crate::model::Platform;
use crate::registry::{Layer, PlatformMetadata};
use crate::runner::summary::{Change, LayerRow, PlatformRow, Since};

/// What there is to compare with: where the image has the tag now, and the tag was on another image when that was done.
pub(super) fn previous<'a>(account: &Account<'a>) -> Option<&'a Previous> {
    let previous = account.previous?;
    let target = account.first()?;
    let is_put = target.published.iter().any(|planned| planned.tag == previous.tag);
    // Nobody compares an image with itself, nor with one that somebody else has put there in the meantime.
    let moved = |(_, was): &(_, Option<crate::model::Stamped>)| {
        was.as_ref().is_some_and(|was| was.digest == previous.image.digest)
    };
    let known = target.before.iter().find(|(tag, _)| *tag == previous.tag);
    let differs = target.digest.as_ref() != Some(&previous.image.digest);
    (is_put && differs && known.is_none_or(moved)).then_some(previous)
}

/// The same for people.
pub(super) fn since(account: &Account<'_>) -> Option<Since> {
    let previous = previous(account)?;
    let commit = previous
        .stamp
        .commit
        .as_ref()
        .map(|commit| (commit.cut(SHOWN).to_owned(), comparison_with(account, &previous.stamp, commit)));
    Some(Since { tag: previous.tag.to_string(), commit })
}

/// The image's platforms as a registry holds them.
pub(super) fn platforms(target: &TargetOutcome, previous: Option<&Previous>) -> Vec<PlatformRow> {
    let images = target.metadata.iter().flat_map(|metadata| &metadata.platforms);
    let rows = images.filter_map(|image| {
        let platform = image.platform.clone()?;
        let before = previous.and_then(|previous| of_platform(previous, &platform));
        let tags = target.tags_of(&platform).map(ToString::to_string).collect();
        Some(PlatformRow {
            digest: image.digest.clone(),
            size: Some(image.size),
            before: before.map(|before| before.size),
            tags,
            layers: layers(&image.layers, before.map(|before| before.layers.as_slice())),
            platform,
        })
    });
    rows.collect()
}

fn of_platform<'a>(previous: &'a Previous, platform: &Platform) -> Option<&'a PlatformMetadata> {
    previous.image.platforms.iter().find(|image| image.platform.as_ref() == Some(platform))
}

/// The layers, each beside the one that it takes the place of: the same bytes, else what the same instruction made.
fn layers(now: &[Layer], before: Option<&[Layer]>) -> Vec<LayerRow> {
    let row = |layer: &Layer, change| LayerRow { made_by: layer.made_by.clone(), size: layer.size, change };
    let Some(before) = before else { return now.iter().map(|layer| row(layer, Change::Unknown)).collect() };
    let is_in = |layers: &[Layer], layer: &Layer| layers.iter().any(|other| other.digest == layer.digest);
    let mut replaced: Vec<&Layer> = before.iter().filter(|layer| !is_in(now, layer)).collect();
    let mut rows: Vec<LayerRow> = Vec::new();
    for layer in now {
        let change = if is_in(before, layer) {
            Change::Same
        } else {
            let same = |other: &&Layer| other.made_by.is_some() && other.made_by == layer.made_by;
            match replaced.iter().position(same) {
                Some(at) => Change::Other(replaced.remove(at).size),
                None => Change::New,
            }
        };
        rows.push(row(layer, change));
    }
    rows.extend(replaced.into_iter().map(|layer| row(layer, Change::Gone)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    #[test]
    fn a_layer_stands_beside_the_one_that_it_replaces() {
        let layer = |bytes: &str, size, made_by: &str| Layer {
            digest: Digest::of(bytes.as_bytes()),
            size,
            made_by: (!made_by.is_empty()).then(|| made_by.to_owned()),
        };
        let before = [
            layer("base", 100, "ADD rootfs /"),
            layer("one", 10, "COPY a /"),
            layer("two", 20, "COPY a /"),
            layer("old", 5, "RUN old"),
            layer("unknown", 7, ""),
        ];
        let now = [
            layer("base", 100, "ADD rootfs /"),
            layer("three", 12, "COPY a /"),
            layer("two", 20, "COPY a /"),
            layer("other", 9, ""),
            layer("new", 3, "RUN new"),
        ];
        let changes = |rows: Vec<LayerRow>| rows.into_iter().map(|row| row.change).collect::<Vec<_>>();
        let expected = [
            Change::Same,
            Change::Other(10),
            Change::Same,
            Change::New,
            Change::New,
            Change::Gone,
            Change::Gone,
        ];
        assert_eq!(changes(layers(&now, Some(&before))), expected);
        assert_eq!(changes(layers(&now[..2], None)), [Change::Unknown, Change::Unknown]);
        assert_eq!(changes(layers(&[], Some(&before[..1]))), [Change::Gone]);
    }
}
