//! The layers of an image by what made them, as a person compares two images.
//!
//! OCI image specification 1.1: the manifest has the layers, the config's `history` has what made them, with entries that made
//! none (`empty_layer`). Their author is a stranger: where the two do not agree in number, nothing is known of what made them.

use futures_util::StreamExt as _;
use serde::Deserialize;

use super::client::RegistryClient;
use super::metadata::{ImageMetadata, Layer, PlatformMetadata};
use crate::model::{Repository, text};

/// Configs that are read at the same time.
const IN_PARALLEL: usize = 4;

impl RegistryClient {
    /// Learns from the configs of an image's platforms what made their layers. What cannot be read stays unknown: nothing
    /// depends on it.
    pub async fn name_layers(&self, repository: &Repository, image: &mut ImageMetadata) {
        let reading: Vec<_> =
            image.platforms.iter_mut().map(|one| self.name_layers_of(repository, one)).collect();
        futures_util::stream::iter(reading).buffer_unordered(IN_PARALLEL).collect::<Vec<()>>().await;
    }

    async fn name_layers_of(&self, repository: &Repository, image: &mut PlatformMetadata) {
        let Some(config) = image.config_digest.clone().filter(|_| !image.layers.is_empty()) else { return };
        if let Ok(config) = self.get_blob(repository, &config).await {
            name(&mut image.layers, &config);
        }
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    history: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

fn name(layers: &mut [Layer], config: &[u8]) {
    let Ok(Config { history }) = serde_json::from_slice(config) else { return };
    let made: Vec<Entry> = history.into_iter().filter(|entry| !entry.empty_layer).collect();
    if made.len() != layers.len() {
        return;
    }
    for (layer, entry) in layers.iter_mut().zip(made) {
        layer.made_by = instruction(&entry.created_by);
    }
}

/// The instruction of the Dockerfile that a `created_by` stands for: without the shell that ran it, without the values of
/// build arguments (`RUN |1 A=b /bin/sh -c make # buildkit`), without the marks of the builders.
fn instruction(created_by: &str) -> Option<String> {
    const SHELL: &str = "/bin/sh -c ";
    let line = text::line(created_by);
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.strip_suffix("# buildkit").unwrap_or(&line).trim();
    let said = match line.split_once(SHELL) {
        // The builder before BuildKit: `/bin/sh -c #(nop) ADD file:… in /`.
        Some(("", rest)) => match rest.strip_prefix("#(nop) ") {
            Some(instruction) => instruction.trim().to_owned(),
            None => format!("RUN {rest}"),
        },
        Some((before, rest))
            if before == "RUN " || before.starts_with("RUN |") || before.starts_with('|') =>
        {
            format!("RUN {rest}")
        }
        _ => line.to_owned(),
    };
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    #[test]
    fn instructions_are_those_of_the_dockerfile() {
        for (created_by, expected) in [
            ("RUN /bin/sh -c npm ci # buildkit", "RUN npm ci"),
            ("RUN |2 VERSION=1 TOKEN=secret value /bin/sh -c make\t a # buildkit", "RUN make a"),
            ("|1 A=b /bin/sh -c make", "RUN make"),
            ("/bin/sh -c #(nop) ADD file:0a1b in / ", "ADD file:0a1b in /"),
            ("/bin/sh -c apk add curl", "RUN apk add curl"),
            ("COPY dist /app # buildkit", "COPY dist /app"),
            ("COPY run.sh /bin/sh -c # buildkit", "COPY run.sh /bin/sh -c"),
            ("RUN [\"/app\"] # buildkit", "RUN [\"/app\"]"),
        ] {
            assert_eq!(instruction(created_by).as_deref(), Some(expected), "{created_by}");
        }
        assert_eq!(instruction(" # buildkit"), None);
        assert!(instruction(&"x".repeat(90_000)).unwrap().len() < 10_000);
        assert!(!instruction("RUN a\n::error::b\u{1b}[2J").unwrap().contains(['\n', '\u{1b}']));
    }

    #[test]
    fn layers_are_named_only_where_history_agrees() {
        let layer = |n: u8| Layer { digest: Digest::of(&[n]), size: 1, made_by: None };
        let named = |history: &str, count: u8| {
            let mut layers: Vec<Layer> = (0..count).map(layer).collect();
            name(&mut layers, format!(r#"{{"history":{history}}}"#).as_bytes());
            layers.into_iter().map(|layer| layer.made_by).collect::<Vec<_>>()
        };
        let history = r#"[{"created_by":"ADD a /"},{"created_by":"CMD x","empty_layer":true},{"created_by":"COPY b /"}]"#;
        assert_eq!(named(history, 2), [Some("ADD a /".to_owned()), Some("COPY b /".to_owned())]);
        assert_eq!(named(history, 3), [None, None, None]);
        assert_eq!(named("[{}]", 1), [None]);
        assert_eq!(named("7", 1), [None]);
    }
}
