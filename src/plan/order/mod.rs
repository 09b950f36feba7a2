//! Never backwards: in which order tags go on an image while other runs do the same.
//!
//! Registries have no compare-and-swap, so the tags of commits are the evidence. A run puts its commit's tag first. It
//! reads a moving tag right before it moves it, and leaves it where it is newer (`decide`). After the move it looks
//! whether a newer commit's tag has appeared, and moves on to that one's image; again, until there is none (`steps`).
//! Of two runs the one whose last move came later has therefore either seen the other's commit tag, or that one was put
//! after the look, and its run reads what we left.
//!
//! Of two builds of one commit the later run's is the one, where images say their run (`model::stamp`): who finds a later
//! one leaves all tags to it, the commit's too; who finds an earlier one under the commit's tag after the moves puts its own
//! again. That holds for two of them; where further runs race with both, a tag can end on either one's image, as nothing can
//! be put only if it is still as it was read. Where images do not say their run, they may replace each other: both are what
//! the commit is.
//! Where no tag is called after the commit, as rules can have it, and for tags that go with the latest version, there is no such
//! evidence: those are read right before the move and once more after it. One ends on the older image only where the newer
//! run's move and its second look both fall between the other run's look and its move (`races_of_rules` counts them);
//! the newer run again, or the next one, repairs it.
//! Sans-IO: the engine asks [`Steps`] what to do, does it, and tells what came of it. `races` drives two and three
//! runs through their interleavings.

mod decide;
mod follow;
#[cfg(test)]
mod races;
#[cfg(test)]
mod races_of_rules;
#[cfg(test)]
mod shapes;
mod steps;
mod version;

pub use decide::{Answer, Known, Question, Verdict, decide};
pub use follow::{FollowReply, FollowStep, Following, Parts};
pub use steps::{Progress, Putting, Reply, Step, Steps};
pub use version::{VersionTaken, VersionVerdict, version};
