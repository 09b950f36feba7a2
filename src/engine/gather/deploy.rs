//! The repositories of environments, looked at before anything is built: whether they are reached with what this run has, the
//! branch and the files are there, and the image can be set in them.
//!
//! All that is wrong with any of them is told together. Only reads, but for an App's token, which is made for this.

use futures_util::future::join_all;

use super::Subject;
use crate::engine::environment::{Account, OpenEnvironment};
use crate::engine::run::Run;
use crate::error::{DeployError, RunError};
use crate::github::{Contents, GitHub};
use crate::inputs::config::{Environment, FileChange, Means};
use crate::kustomize::{FileKind, Kustomization, NewImage, SourceFile, kustomization_file};
use crate::model::{CommitId, Digest, text};
use crate::plan::deploy::{BaseRead, EnvironmentFacts, deployed_image, due};

/// What was found, and what goes on to the deployments.
pub(super) type Looked = (Vec<EnvironmentFacts>, Vec<OpenEnvironment>);

/// Looks at the environments that this run deploys to.
pub(super) async fn look(run: &Run<'_>, subject: &Subject) -> Result<Looked, RunError> {
    let (environments, _) = due(run.asked, run.context, &subject.metadata, &subject.targets);
    let image = deployed_image(&subject.metadata, &subject.targets, None);
    let Some(image) = image.filter(|_| !environments.is_empty()) else { return Ok(Looked::default()) };
    // Its digest is not known yet; whether one can be set is.
    let image = image.at(Some(Digest::of(b"")));
    let began = tokio::time::Instant::now();
    let looking = environments.iter().map(|environment| one(run, environment, &image));
    let found = join_all(looking).await;
    run.process.reporter.phase("environments", began.elapsed());
    let of = environments.len();
    let (mut looked, mut failed) = (Looked::default(), Vec::new());
    for (environment, found) in environments.into_iter().zip(found) {
        match found {
            Ok((facts, open)) => {
                looked.0.extend(facts);
                looked.1.push(open);
            }
            Err(error) => failed.push((environment.to_string(), error)),
        }
    }
    RunError::deploy(of, true, failed)?;
    Ok(looked)
}

async fn one(
    run: &Run<'_>,
    environment: &Environment,
    image: &NewImage,
) -> Result<(Option<EnvironmentFacts>, OpenEnvironment), DeployError> {
    let number = environment.number;
    let change = match &environment.means {
        Means::Files(change) => Some(change),
        Means::Dispatch { .. } => None,
    };
    let account = Account::open(run, &environment.repository, change.is_none()).await?;
    let branch = change.and_then(|change| change.branch.as_deref());
    // What may be a directory: a kustomization is in it.
    let kustomization = change.filter(|change| matches!(change.kind, FileKind::Kustomization { .. }));
    let directories = kustomization.map_or(&[][..], |change| change.paths.as_slice());
    let asked = async |github: &GitHub, name: &str| github.details(name, branch, directories).await;
    let details = account.ask(run, asked).await?;
    let repository = || environment.repository.clone();
    if !environment.repository.is(&details.full_name) {
        return Err(DeployError::Renamed { asked: repository(), now: details.full_name });
    }
    if details.archived {
        return Err(DeployError::Archived(repository()));
    }
    let Some(change) = change else {
        return Ok((None, OpenEnvironment { number, account, node_id: details.node_id, base: None }));
    };
    let Some((base, head)) = details.branch else {
        return Err(match branch {
            Some(branch) => DeployError::NoBranch { repository: repository(), branch: branch.to_owned() },
            None => DeployError::Empty(repository()),
        });
    };
    let listed = details.directories.into_iter().chain(std::iter::repeat(None));
    let reading = change.paths.iter().zip(listed);
    let reading = reading.map(|(path, listed)| file(run, &account, change, (&base, &head), (path, listed)));
    let mut files: Vec<SourceFile> = Vec::new();
    for read in join_all(reading).await {
        let read = read?;
        if !files.iter().any(|known| known.path() == read.path()) {
            files.push(read);
        }
    }
    let mut warnings = Vec::new();
    for file in &files {
        change.kind.edit(file, image)?;
        warnings.extend(missing(environment, &change.kind, file)?);
    }
    let paths = files.iter().map(|file| file.path().to_owned()).collect();
    let facts = EnvironmentFacts { number, base, files: paths, warnings };
    let base = Some(BaseRead { head, files });
    Ok((Some(facts), OpenEnvironment { number, account, node_id: details.node_id, base }))
}

/// The file at a path, or the kustomization of the directory that is there; `listed`: what is in it, where that is known.
async fn file(
    run: &Run<'_>,
    account: &Account,
    change: &FileChange,
    (branch, head): (&str, &CommitId),
    (path, listed): (&str, Option<Vec<String>>),
) -> Result<SourceFile, DeployError> {
    let read = async |path: &str| {
        account.ask(run, async |github, name| github.contents(name, path, head).await).await
    };
    let no_file = |path: &str, why: &str| DeployError::NoFile {
        repository: account.repository.clone(),
        branch: branch.to_owned(),
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let is_kustomization = matches!(change.kind, FileKind::Kustomization { .. });
    let found = match listed {
        Some(names) => Contents::Directory(names),
        None => read(path).await?,
    };
    let (path, contents) = match found {
        Contents::Directory(_) if !is_kustomization => {
            return Err(no_file(path, "it is a directory, which only a kustomization can be"));
        }
        Contents::Directory(names) => {
            let name = kustomization_file(path, names.iter().map(String::as_str))?;
            let path = if path == "." { name.to_owned() } else { format!("{path}/{name}") };
            let contents = read(&path).await?;
            (path, contents)
        }
        contents => (path.to_owned(), contents),
    };
    match contents {
        Contents::File(bytes) => Ok(SourceFile::new(&path, &bytes)?),
        Contents::Directory(_) => Err(no_file(&path, "it is a directory")),
        Contents::Other(what) => Err(no_file(&path, &text::line(&what))),
        Contents::Missing => Err(no_file(&path, "it is not there")),
    }
}

/// What a person should know of a kustomization that has no entry for the image: it gets one, which may be of a misspelt name.
fn missing(
    environment: &Environment,
    kind: &FileKind,
    file: &SourceFile,
) -> Result<Option<String>, DeployError> {
    let FileKind::Kustomization { image } = kind else { return Ok(None) };
    let kustomization = Kustomization::read(file)?;
    if kustomization.image(image)?.is_some() {
        return Ok(None);
    }
    let names: Vec<String> = kustomization
        .images()
        .iter()
        .take(10)
        .map(|entry| format!("`{}`", text::name(&entry.name)))
        .collect();
    let there =
        if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
    Ok(Some(format!(
        "`deploy`: `{}` in {} has no image `{image}`, and gets one ({there})",
        text::value(file.path()),
        environment.repository
    )))
}
