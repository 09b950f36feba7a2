//! How two commits stand to each other, as far as the checkout's history goes.

use std::path::Path;

use super::checkout::{Unusable, open};
use super::reason;
use crate::model::{CommitId, Relation};

/// How `new` stands to `old` in the repository that `context` was checked out from. Blocks on file reads.
///
/// A cut history can only say yes: what is not in it may be beyond its end.
pub fn relation(workspace: &Path, context: &Path, old: &CommitId, new: &CommitId) -> Relation {
    match open(workspace, context) {
        Ok(repository) => in_repository(&repository, old, new),
        Err(Unusable::Absent) => Relation::Unknown("nothing is checked out".into()),
        Err(Unusable::Because(why)) => Relation::Unknown(why),
    }
}

fn in_repository(repository: &gix::Repository, old: &CommitId, new: &CommitId) -> Relation {
    let shallow = repository.is_shallow().unwrap_or(true);
    let cut = |complete: Relation| {
        if shallow {
            Relation::Unknown("the checkout is shallow (give actions/checkout `fetch-depth: 0`)".into())
        } else {
            complete
        }
    };
    let find = |commit: &CommitId| {
        let id = gix::ObjectId::from_hex(commit.as_str().as_bytes()).ok()?;
        repository.find_commit(id).ok().map(|commit| commit.id)
    };
    let Some(newer) = find(new) else {
        return Relation::Unknown(format!("commit {} is not in the checkout", new.cut(12)));
    };
    let Some(older) = find(old) else { return cut(Relation::NotAhead) };
    if older == newer {
        return Relation::Same;
    }
    match repository.merge_base(newer, older) {
        Ok(Some(base)) if base.detach() == older => Relation::Ahead,
        Ok(Some(base)) if base.detach() == newer => Relation::Behind,
        Ok(_) => cut(Relation::Diverged),
        Err(error) => Relation::Unknown(format!("the history cannot be read: {}", reason(&error))),
    }
}
