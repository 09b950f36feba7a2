//! How commits stand to each other, as far as somebody could tell: GitHub, or the checkout.

use super::CommitId;

/// How a newer-or-older commit stands to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They are the same.
    Same,
    /// It descends from the other one.
    Ahead,
    /// The other one descends from it.
    Behind,
    /// Neither descends from the other.
    Diverged,
    /// It does not descend from the other one; whether the other one descends from it cannot be told.
    NotAhead,
    /// Nobody can tell; why, as the end of a sentence. May hold what others wrote.
    Unknown(String),
}

/// The newest commits of a ref, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What the ref points to; nothing when it is gone.
    pub tip: Option<CommitId>,
    /// From the tip, newest first, each with its parents; as many as were asked for.
    pub commits: Vec<(CommitId, Vec<CommitId>)>,
}

impl History {
    /// Whether the commit is among these.
    pub fn holds(&self, commit: &CommitId) -> bool {
        self.commits.iter().any(|(known, _)| known == commit)
    }

    /// Those that descend from a commit, newest first, as far as these commits tell; without itself.
    pub fn descendants(&self, commit: &CommitId) -> Vec<CommitId> {
        let mut found = vec![commit];
        // A parent may stand before its child where clocks disagreed: until nothing is added.
        loop {
            let before = found.len();
            for (child, parents) in &self.commits {
                if !found.contains(&child) && parents.iter().any(|parent| found.contains(&parent)) {
                    found.push(child);
                }
            }
            if found.len() == before {
                break;
            }
        }
        let descends = |one: &&(CommitId, Vec<CommitId>)| one.0 != *commit && found.contains(&&one.0);
        self.commits.iter().filter(descends).map(|(child, _)| child.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    #[test]
    fn descendants_through_merges_and_skewed_clocks() {
        // 1 - 2 - 4 (merge of 2 and 3) - 5, and 3 beside 2; 4 stands after its parents.
        let commits = vec![
            (id(5), vec![id(4)]),
            (id(2), vec![id(1)]),
            (id(3), vec![id(9)]),
            (id(4), vec![id(2), id(3)]),
            (id(1), vec![]),
        ];
        let history = History { tip: Some(id(5)), commits };
        assert_eq!(history.descendants(&id(1)), [id(5), id(2), id(4)]);
        assert_eq!(history.descendants(&id(3)), [id(5), id(4)]);
        assert_eq!(history.descendants(&id(9)), [id(5), id(3), id(4)], "it need not be there itself");
        assert_eq!(history.descendants(&id(5)), []);
        assert!(history.holds(&id(4)) && !history.holds(&id(9)));
    }
}
