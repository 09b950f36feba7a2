//! What this run knows about a build's failure beyond BuildKit's words: where a file is that was not copied, which stages there
//! are. Looked up when the build has failed, and never a reason for another error.

use std::path::{Path, PathBuf};

use crate::buildkit::BuildError;
use crate::context::absent::{Absence, absence};
use crate::engine::gather::dockerfile_text;
use crate::engine::run::Run;
use crate::model::{ContextSource, ErrorCode, text};
use crate::plan::build::BuildPlan;
use crate::plan::dockerfile::stage_names;
use crate::plan::facts::DockerfileText;

/// What to change, if that can be told.
pub(super) async fn hint(run: &Run<'_>, build: &BuildPlan, error: &BuildError) -> Option<String> {
    match error.code() {
        ErrorCode::CopyNotFound => missing(run, build, error.missing_source()?).await,
        ErrorCode::StageNotFound => stages(run).await,
        _ => None,
    }
}

async fn stages(run: &Run<'_>) -> Option<String> {
    let DockerfileText::Known(text) = dockerfile_text(run.asked).await else { return None };
    let names = stage_names(&text);
    if names.is_empty() {
        return Some(
            "no stage of the Dockerfile has a name: leave `target` out, or name one with `AS`".into(),
        );
    }
    let names: Vec<String> = names.iter().take(MOST).map(|name| format!("`{}`", text::name(name))).collect();
    Some(format!("the Dockerfile's stages are {}; without `target` the last one is built", names.join(", ")))
}

/// Stages that are named.
const MOST: usize = 20;

async fn missing(run: &Run<'_>, build: &BuildPlan, path: &str) -> Option<String> {
    let ContextSource::Directory(context) = build.context.clone() else { return None };
    let top = run.context.paths.workspace.canonicalize().ok()?;
    let own = build
        .dockerfile
        .directory
        .as_ref()
        .map(|directory| directory.join(format!("{}.dockerignore", build.dockerfile.file_name)));
    let ignore_files: Vec<PathBuf> = own.into_iter().chain([context.join(".dockerignore")]).collect();
    let wanted = path.to_owned();
    let (from, below) = (context.clone(), top.clone());
    let found =
        tokio::task::spawn_blocking(move || absence(&from, &ignore_files, &below, &wanted)).await.ok()??;
    let named = |path: &Path| {
        let path = path.strip_prefix(&top).unwrap_or(path).to_string_lossy().into_owned();
        text::value(if path.is_empty() { "." } else { &path })
    };
    Some(match found {
        Absence::Ignored { file, line, pattern } => format!(
            "it is there, but `{}` leaves it out: line {line}, `{}`",
            named(&file),
            text::name(&pattern)
        ),
        Absence::Elsewhere { found, from: Some(from) } if from != context => format!(
            "it is at `{}`: set `context: {}`, or write the path from the top of `context`",
            named(&found),
            named(&from)
        ),
        Absence::Elsewhere { found, .. } => {
            format!(
                "there is `{}`; paths begin at the top of `context`, which is `{}`",
                named(&found),
                named(&context)
            )
        }
    })
}
