//! Trouble with the service of GitHub's cache, as who asks it tells those who plan.

/// Why the service is of no use now: it was asked and did not answer well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheTrouble {
    /// A sentence without its end.
    pub why: String,
    /// It is not worth asking again in this run, nor writing to it: it said nothing at all, or wants to be left alone.
    pub lasting: bool,
}
