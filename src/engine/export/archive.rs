//! The image in a file: read back from its registry where it was pushed, else exported by who has built it.
//!
//! A thread of its own packs and writes what comes: the bytes pass through a few at a time, and a disk that is slow holds back
//! who sends them. Whatever ends the run, the thread is waited for, so that nothing half stays.

use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::buildkit::{BlobPart, Connection, Provisions};
use crate::engine::obtain::{Image, Located, Origin};
use crate::engine::report::{Archived, ImageSummary};
use crate::engine::retry::{Trying, patience};
use crate::engine::run::Run;
use crate::engine::solving::{provisions, solve_again};
use crate::error::RunError;
use crate::files::{Compressed, Layout, NewFile, Root, room};
use crate::model::text;
use crate::plan::archive::ArchivePlan;
use crate::plan::build::BuildPlan;
use crate::registry::Part;
use crate::runner::units;

/// Parts that wait for the disk: of a registry's answer, and of what a builder sends, which are far larger.
const PARTS: usize = 16;
const BLOBS: usize = 3;

/// A file that is all there, under another name still.
pub(super) struct Staged {
    file: NewFile,
    path: PathBuf,
    place: String,
    began: Instant,
}

impl Staged {
    /// Gives the file its name.
    pub(super) fn commit(self, run: &Run<'_>) -> Result<(), RunError> {
        let written = self.file.finish().map_err(|error| not_written(&self.place, &self.path, &error))?;
        run.process.reporter.phase("archive", self.began.elapsed());
        let size = units::bytes(written.size);
        run.process.reporter.info(&format!("wrote {} ({size}, {})", self.place, written.digest));
        run.report.archived(Archived { place: self.place, written });
        Ok(())
    }
}

/// The file and what is in it.
type Written = io::Result<(NewFile, Root)>;
/// An image on its way into its file.
type Packing = Layout<Compressed<NewFile>>;

/// Writes all of it under another name; nothing where there is no image.
///
/// # Errors
/// Who has the image does not give it, or the disk does not take it.
pub(super) async fn stage(
    run: &Run<'_>,
    plan: &ArchivePlan,
    image: &Image<'_>,
    id: &str,
) -> Result<Option<Staged>, RunError> {
    let began = Instant::now();
    let file = match (image.located.first(), &image.origin, &plan.unpushed) {
        (Some(located), ..) => downloaded(run, plan, located, id).await?,
        (None, Origin::Built(workshop), Some(unpushed)) => {
            let there = workshop.nodes().get(unpushed.node).zip(workshop.solved.get(unpushed.node));
            let (node, solved) = there.ok_or_else(|| {
                RunError::Contradiction(vec!["what is to be archived was not built".into()])
            })?;
            let build = unpushed.build(solved.clone());
            let (file, root) = exported(run, plan, &node.connection, &build, id).await?;
            // Attestations say when: what is in the file is what there is of the image.
            let annotations = None;
            run.report.image(ImageSummary { digest: Some(root.digest), promoted: false, annotations });
            file
        }
        (None, ..) => return Ok(None),
    };
    Ok(Some(Staged { file, path: plan.path.clone(), place: plan.place.clone(), began }))
}

/// What was pushed. Where the registry stumbles for longer than a connection, all of it is read again.
async fn downloaded(
    run: &Run<'_>,
    plan: &ArchivePlan,
    located: &Located,
    id: &str,
) -> Result<NewFile, RunError> {
    let registry = located.repository.registry();
    let mut trying = Trying::new(patience(run, registry));
    loop {
        let (parts, incoming) = mpsc::channel(PARTS);
        let writing = write(plan, id, |layout| pack(layout, incoming));
        let client = run.registries.client(registry);
        let sending = async move {
            // The channel ends with this, and with it who writes.
            let parts = parts;
            Ok(client.download(&located.repository, &located.digest, &parts).await?)
        };
        let sent = run.until_stopped(sending).await;
        match ended((&plan.place, &plan.path), writing, sent).await {
            Err(RunError::Registry(error)) => {
                if !run.until_stopped(async { Ok(trying.again(run.process, &error).await) }).await? {
                    return Err(RunError::Registry(error));
                }
            }
            ended => {
                let ((), (file, _)) = ended?;
                return Ok(file);
            }
        }
    }
}

/// Packs what comes; whether all of it has come, who sends it knows.
fn pack(layout: &mut Packing, mut incoming: mpsc::Receiver<Part>) -> io::Result<Root> {
    let mut root = None;
    while let Some(part) = incoming.blocking_recv() {
        match part {
            Part::Top(top) => {
                let size = top.bytes.len() as u64;
                layout.begin(&top.digest, size)?;
                layout.data(&top.bytes)?;
                root = Some(Root { media_type: top.media_type, digest: top.digest, size });
            }
            Part::Blob(digest, size) => layout.begin(&digest, size)?,
            Part::Data(data) => layout.data(&data)?,
        }
    }
    root.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// What was not pushed.
async fn exported(
    run: &Run<'_>,
    plan: &ArchivePlan,
    connection: &Connection,
    build: &BuildPlan,
    id: &str,
) -> Result<(NewFile, Root), RunError> {
    let (blobs, mut incoming) = mpsc::channel(BLOBS);
    let writing = write(plan, id, move |layout| {
        while let Some(part) = incoming.blocking_recv() {
            match part {
                BlobPart::Begin(digest, size) => layout.begin(&digest, size)?,
                BlobPart::Data(data) => layout.data(&data)?,
            }
        }
        layout.last_document()
    });
    let provisions = Provisions { blobs: Some(blobs), ..provisions(run, build) };
    let sent = solve_again(run, connection, build, provisions, id).await;
    let (digest, (file, root)) = ended((&plan.place, &plan.path), writing, sent).await?;
    if digest.as_ref() != Some(&root.digest) {
        let other = io::Error::other(format!("the builder has sent {}, which is not the image", root.digest));
        return Err(not_written(&plan.place, &plan.path, &other));
    }
    Ok((file, root))
}

/// Begins to write the file.
fn write(
    plan: &ArchivePlan,
    id: &str,
    pack: impl FnOnce(&mut Packing) -> io::Result<Root> + Send + 'static,
) -> JoinHandle<Written> {
    let (plan, id) = (plan.clone(), id.to_owned());
    tokio::task::spawn_blocking(move || {
        let file = NewFile::begin(&plan.path, &id)?;
        let mut layout = Layout::new(Compressed::new(file, plan.format)?)?;
        let root = pack(&mut layout)?;
        let mut file = layout.finish(&root, &plan.names, &plan.preferred)?.finish()?;
        file.sync()?;
        Ok((file, root))
    })
}

/// How it ended: a disk that does not take the file ends who sends it, so that its word is the first cause.
pub(super) async fn ended<S, T>(
    (place, path): (&str, &Path),
    writing: JoinHandle<io::Result<T>>,
    sent: Result<S, RunError>,
) -> Result<(S, T), RunError> {
    let written = writing.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
    match (sent, written) {
        (Err(stopped @ RunError::Stopped(_)), _) => Err(stopped),
        (_, Err(error)) if error.raw_os_error().is_some() => Err(not_written(place, path, &error)),
        (Err(error), _) => Err(error),
        (Ok(_), Err(error)) => Err(not_written(place, path, &error)),
        (Ok(sent), Ok(written)) => Ok((sent, written)),
    }
}

/// Why a file or a directory is not there. What there was of it is gone by now, and has given its room back.
pub(super) fn not_written(place: &str, path: &Path, error: &io::Error) -> RunError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let room = || {
        let Some(room) = room(path) else { return String::new() };
        let (free, size) = (units::bytes(room.free), units::bytes(room.size));
        format!(": without it {free} of {size} are free there, and it needs more")
    };
    RunError::NotWritten {
        place: place.to_owned(),
        why: text::line(&error.to_string()),
        full: full.then(room),
    }
}
