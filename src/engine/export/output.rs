//! What BuildKit's exporters make of the build's result, written beside the workspace's files until nothing is left to be solved.
//!
//! Everything comes through the session: an archive, which is written as it comes or unpacked into a directory, or files.

use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::archive::{ended, not_written};
use crate::buildkit::{ArchivePart, Files, Provisions};
use crate::engine::obtain::{Image, Origin};
use crate::engine::run::Run;
use crate::engine::solving::{provisions, solve_again};
use crate::error::RunError;
use crate::files::tar::{Event, Reader};
use crate::files::{NewDirectory, NewFile};
use crate::model::ExporterKind;
use crate::plan::output::OutputPlan;

/// Parts that wait for the disk.
const PARTS: usize = 16;

/// Something that is all there, under another name still.
pub(super) struct Staged {
    made: Made,
    plan: OutputPlan,
    began: Instant,
}

enum Made {
    File(Box<NewFile>),
    Directory(NewDirectory),
}

impl Staged {
    /// Puts it in its place.
    pub(super) fn commit(self, run: &Run<'_>) -> Result<(), RunError> {
        let put = match self.made {
            Made::File(file) => file.finish_alone().map(drop),
            Made::Directory(directory) => directory.finish().map(drop),
        };
        put.map_err(|error| not_written(&self.plan.place, &self.plan.path, &error))?;
        run.process.reporter.phase(&format!("output `{}`", self.plan.kind.name()), self.began.elapsed());
        run.process.reporter.info(&format!("wrote {} (`{}`)", self.plan.place, self.plan.kind.name()));
        Ok(())
    }
}

/// Makes it; nothing where nothing was built.
///
/// # Errors
/// The builder's words, or the disk does not take it.
pub(super) async fn stage(
    run: &Run<'_>,
    plan: &OutputPlan,
    image: &Image<'_>,
    id: &str,
) -> Result<Option<Staged>, RunError> {
    let began = Instant::now();
    let there = match &image.origin {
        Origin::Built(workshop) => workshop.nodes().first().zip(workshop.solved.first()),
        Origin::Promoted | Origin::Merged(_) | Origin::Given => None,
    };
    let Some((node, solved)) = there else {
        let why = "nothing was built, as the image was there already";
        run.process.reporter.warn(&format!("`outputs`: {} is not written: {why}", plan.place));
        return Ok(None);
    };
    let build = plan.build(solved.clone());
    let given = provisions(run, &build);
    let made = if plan.kind == ExporterKind::Local {
        let directory = NewDirectory::begin(&plan.path, id);
        let directory = Arc::new(directory.map_err(|error| not_written(&plan.place, &plan.path, &error))?);
        let (files, mut failures) = Files::into(Arc::clone(&directory));
        let given = Provisions { files: Some(files), ..given };
        let sent = solve_again(run, &node.connection, &build, given, id).await;
        let mut first = None;
        while let Some(failure) = failures.recv().await {
            first.get_or_insert(failure);
        }
        match (sent, first, Arc::try_unwrap(directory)) {
            (Err(stopped @ RunError::Stopped(_)), ..) => return Err(stopped),
            (_, Some(error), unpacked) => {
                drop(unpacked);
                return Err(not_written(&plan.place, &plan.path, &error));
            }
            (Err(error), ..) => return Err(error),
            (Ok(_), None, Ok(directory)) => Made::Directory(directory),
            (Ok(_), None, Err(_)) => {
                return Err(not_written(&plan.place, &plan.path, &io::Error::other("files are still sent")));
            }
        }
    } else {
        let (parts, incoming) = mpsc::channel(PARTS);
        let writing = write(plan, id, incoming);
        let given = Provisions { archive: Some(parts), ..given };
        let sent = solve_again(run, &node.connection, &build, given, id).await;
        ended((&plan.place, &plan.path), writing, sent).await?.1
    };
    Ok(Some(Staged { made, plan: plan.clone(), began }))
}

/// Begins to write what comes.
fn write(
    plan: &OutputPlan,
    id: &str,
    mut incoming: mpsc::Receiver<ArchivePart>,
) -> JoinHandle<io::Result<Made>> {
    let (plan, id) = (plan.clone(), id.to_owned());
    tokio::task::spawn_blocking(move || {
        if plan.directory {
            return unpack(NewDirectory::begin(&plan.path, &id)?, incoming).map(Made::Directory);
        }
        let mut file = NewFile::begin(&plan.path, &id)?;
        while let Some(part) = incoming.blocking_recv() {
            file.write_all(&part?)?;
        }
        file.sync()?;
        Ok(Made::File(Box::new(file)))
    })
}

/// Unpacks an archive as it comes.
fn unpack(directory: NewDirectory, mut incoming: mpsc::Receiver<ArchivePart>) -> io::Result<NewDirectory> {
    let (mut reader, mut file) = (Reader::default(), None);
    while let Some(part) = incoming.blocking_recv() {
        reader.feed(&part?, &mut |event| match event {
            Event::File(name, _) => {
                let new = directory.file(name.as_bytes(), true)?;
                NewDirectory::complete(&new, 0o644, 0)?;
                file = Some(new);
                Ok(())
            }
            Event::Data(data) => match &mut file {
                Some(file) => file.write_all(data),
                None => Err(io::ErrorKind::InvalidData.into()),
            },
        })?;
    }
    if reader.has_ended() { Ok(directory) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
