//! How commits stand, against Git's own word.

use super::Repo;
use crate::git::relation;
use crate::model::{CommitId, Relation};

#[test]
fn as_far_as_the_checkout_goes() {
    let mut repo = Repo::new();
    let (first, second) = (repo.commit(), repo.commit());
    repo.run(&["checkout", "-q", "-b", "side", first.as_str()]);
    let side = repo.commit();
    let root = repo.workspace();
    let stranger = CommitId::parse(&"5".repeat(40)).unwrap();
    for (old, new, expected) in [
        (&first, &first, Relation::Same),
        (&first, &second, Relation::Ahead),
        (&second, &first, Relation::Behind),
        (&second, &side, Relation::Diverged),
        (&stranger, &side, Relation::NotAhead),
    ] {
        assert_eq!(relation(&root, &root, old, new), expected, "{old} {new}");
    }
    let unknown = |relation: Relation, part: &str| {
        let Relation::Unknown(why) = relation else { panic!("{relation:?}") };
        assert!(why.contains(part), "{why}");
    };
    unknown(relation(&root, &root, &first, &stranger), "555555555555 is not in the checkout");
    // Cut: what is missing may be beyond the end, what is there counts.
    let url = format!("file://{}", root.display());
    repo.git(&["clone", "-q", "--depth", "1", &url, "cut"], repo.root.path());
    let cut = repo.root.path().join("cut");
    unknown(relation(&cut, &cut, &first, &side), "`fetch-depth: 0`");
    unknown(relation(&cut, &cut, &stranger, &side), "`fetch-depth: 0`");
    let empty = tempfile::tempdir().unwrap();
    unknown(relation(empty.path(), empty.path(), &first, &second), "nothing is checked out");
}
