//! A login that the inputs ask for and whose secret is not there: an expression that came out empty.
//!
//! That is no fault of the inputs: the same workflow runs in forks and for Dependabot, where GitHub gives no secrets. It
//! matters where the image is pushed to that registry, which is known once the event has been looked at: `plan::access` is
//! where it becomes an error or leaves the registry out. For all else, such as pulling, there is just no login.

use super::fault::InputFault;
use crate::model::RegistryHost;

/// A login without its secret. No other input has one for its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLogin {
    /// Where it would be a login.
    pub registry: RegistryHost,
    /// Without it the registry is left out.
    pub optional: bool,
    /// The input that asks for it.
    pub input: &'static str,
    /// Which entry of the input, from 1, where it is a list.
    pub entry: Option<usize>,
    /// What is empty, as the end of a sentence that begins with the input: `` `password` is empty``.
    pub why: String,
}

impl MissingLogin {
    /// What is missing, for people.
    pub fn reason(&self) -> String {
        match self.entry {
            Some(number) => format!("entry {number} of `{}`: {}", self.input, self.why),
            None => format!("`{}`: {}", self.input, self.why),
        }
    }

    /// The fault that it is where the image has to go to its registry.
    pub fn fault(&self) -> InputFault {
        let Self { registry, why, .. } = self;
        let place = self.entry.map_or_else(String::new, |number| format!("entry {number}: "));
        let message = format!("{place}{why}, and the image is pushed to `{registry}`");
        let optional = match self.entry {
            Some(_) => "`optional: true` in this entry",
            None => "an entry of `registry_auth` with `optional: true` in its place",
        };
        InputFault::new(self.input, message).hint(format!(
            "a secret that does not exist is empty, and so is one that this run does not get (a fork, Dependabot); \
             {optional} leaves the registry out then, and so does `,enable=${{{{ secrets.NAME != '' }}}}` behind its \
             repositories in `repository`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_registry_and_the_ways_out() {
        let entry = MissingLogin {
            registry: RegistryHost::parse("docker.io").unwrap(),
            optional: false,
            input: "registry_auth",
            entry: Some(2),
            why: "`password` is empty".into(),
        };
        assert_eq!(entry.reason(), "entry 2 of `registry_auth`: `password` is empty");
        let fault = entry.fault();
        assert_eq!(fault.input, "registry_auth");
        assert_eq!(fault.message, "entry 2: `password` is empty, and the image is pushed to `docker.io`");
        let hint = fault.hint.unwrap();
        for part in ["a fork, Dependabot", "`optional: true`", "`,enable=${{ secrets.NAME != '' }}`"] {
            assert!(hint.contains(part), "{hint}");
        }
        let why = "missing, but `username` is given".into();
        let inputs = MissingLogin { input: "password", entry: None, why, ..entry };
        assert_eq!(inputs.reason(), "`password`: missing, but `username` is given");
        assert!(inputs.fault().hint.unwrap().contains("`registry_auth` with `optional: true`"));
    }
}
