//! Several repositories: each gets the image and its tags, is looked at and reported by itself, and one that fails stops
//! no other.

use crate::builder::Builder;
use crate::job::{Job, parts};
use crate::retry::{dockerfile, times_run};
use crate::runner::fault_proxy::{Act, Answer, FaultProxy, Kind};
use crate::runner::log::Level;
use crate::runner::registry::Registry;
use crate::runner::step::StepResult;
use serde_json::Value;

/// A repository as a workflow names it, and the registry that a test reads it from.
pub struct Target {
    pub name: String,
    registry: Registry,
    path: String,
}

impl Target {
    fn new(host: &str, registry: Registry, name: &str) -> Self {
        let path = format!("acme/shop/{name}");
        Self { name: format!("{host}/{path}"), registry, path }
    }

    /// In the open registry.
    pub fn open(name: &str) -> Self {
        Self::new(&parts().localhost(), parts().open_registry(), name)
    }

    /// In the registry with a password.
    pub fn closed(name: &str) -> Self {
        Self::new(&closed_host(), parts().closed_registry(), name)
    }

    /// In the open registry, behind a proxy.
    fn behind(proxy: &FaultProxy, name: &str) -> Self {
        Self::new(&proxy.host(), parts().open_registry(), name)
    }

    pub fn tags(&self) -> Vec<String> {
        self.registry.tags(&self.path)
    }

    pub fn digest(&self, tag: &str) -> String {
        self.registry.manifest(&self.path, tag).map_or_else(String::new, |manifest| manifest.digest)
    }

    /// The platforms of a tag, by name.
    pub fn platforms(&self, tag: &str) -> Vec<String> {
        self.registry.platforms(&self.path, tag).into_keys().collect()
    }

    /// Every tag of the run is on this digest here.
    pub fn holds(&self, result: &StepResult, digest: &str) {
        let names: Vec<&str> = result.outputs["tag_names"].lines().collect();
        assert_eq!(self.tags().len(), names.len(), "{}: {:?}", self.name, self.tags());
        for tag in names {
            assert_eq!(self.digest(tag), digest, "{}:{tag}", self.name);
        }
    }
}

fn closed_host() -> String {
    format!("localhost:{}", parts().auth_registry.rsplit_once(':').unwrap().1)
}

pub fn login(password: &str) -> String {
    format!(
        "- {{registry: '{}', username: '{}', password: '{password}'}}",
        closed_host(),
        parts().auth_username
    )
}

/// It goes to these, for one platform.
pub fn to(job: Job, targets: &[&Target]) -> Job {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    job.without("image_name")
        .without("registry")
        .input("repository", &names.join("\n"))
        .input("platform", "linux/amd64")
        .input("cache", "off")
}

fn good(result: StepResult) -> StepResult {
    assert!(result.success, "{}", result.log());
    result
}

#[test]
fn two_in_one_registry() {
    let (one, two) = (Target::open("several-one"), Target::open("several-two"));
    // In its container: the way to the host's loopback is one for both.
    let job = to(Job::usual("several-one"), &[&one, &two, &one]).input("platform", "linux/arm64,linux/amd64");
    let result = good(job.run());
    let digest = &result.outputs["digest"];
    one.holds(&result, digest);
    two.holds(&result, digest);
    assert_eq!((result.outputs["image"].as_str(), result.outputs["pushed"].as_str()), (&*one.name, "true"));
    assert_eq!(result.outputs["reference"], format!("{}@{digest}", one.name));
    let tags: Vec<&str> = result.outputs["tags"].lines().collect();
    assert_eq!(tags.len(), 6, "{tags:?}");
    assert!(tags[..3].iter().all(|tag| tag.starts_with(&format!("{}:", one.name))), "{tags:?}");
    assert!(tags.contains(&&*format!("{}:latest", two.name)), "{tags:?}");
    let metadata: Value = serde_json::from_str(&result.outputs["metadata"]).unwrap();
    assert_eq!(metadata["digest"], digest.as_str());
    let each = metadata["repositories"].as_array().unwrap();
    let named: Vec<&str> = each.iter().map(|one| one["repository"].as_str().unwrap()).collect();
    assert_eq!(named, [&one.name, &two.name]);
    assert!(each.iter().all(|one| one["platforms"].as_array().unwrap().len() == 2), "{metadata}");
    let plan: Value = serde_json::from_str(&result.outputs["plan"]).unwrap();
    assert_eq!(plan["repositories"][1], two.name.as_str());
    let log = result.log();
    for target in [&one, &two] {
        assert!(log.contains(&format!("pushed {}@{digest} (linux/arm64 ", target.name)), "{log}");
        assert!(log.contains(&format!("✓ {}:latest", target.name)), "{log}");
        assert!(
            result.summary.contains(&format!("docker pull {}@{digest}", target.name)),
            "{}",
            result.summary
        );
    }
    let twice = format!("`repository` names `{}` more than once", one.name);
    assert!(result.of(Level::Notice).iter().any(|note| note.message.contains(&twice)), "{log}");
}

#[test]
fn two_registries_each_with_its_own_login() {
    let parts = parts();
    let (open, closed) = (Target::open("several-open"), Target::closed("several-closed"));
    let job = to(Job::usual("several-open"), &[&open, &closed]);
    // One that refuses ends the run before the build, and is named.
    let job = job.input("registry_auth", &login("wrong-password-3"));
    let refused = job.native().run();
    assert!(!refused.success, "{}", refused.log());
    let errors = refused.errors();
    let expected = format!("1 of 2 repositories failed\n`{}`: ", closed.name);
    assert!(errors.contains(&expected) && !errors.contains(&format!("`{}`", open.name)), "{errors}");
    assert!(errors.contains("entry 1 of `registry_auth`"), "{errors}");
    assert!(!refused.log().contains("COPY greeting"), "it was built: {}", refused.log());
    assert_eq!((open.tags().len(), closed.tags().len()), (0, 0));

    let job = job.input("registry_auth", &login(&parts.auth_password));
    let result = good(job.native().run());
    open.holds(&result, &result.outputs["digest"]);
    closed.holds(&result, &result.outputs["digest"]);
}

#[test]
fn a_pull_request_goes_where_it_may() {
    let (closed, open) = (Target::closed("several-pull"), Target::open("several-pull"));
    let (job, ..) = Job::usual("several-pull").pull_request("pull_request", 45, "feature/Two_Boxes");
    let job = to(job, &[&closed, &open]);
    let result = good(job.native().run());
    open.holds(&result, &result.outputs["digest"]);
    assert_eq!(closed.tags(), Vec::<String>::new());
    assert_eq!((result.outputs["image"].as_str(), result.outputs["pushed"].as_str()), (&*open.name, "true"));
    let warning = format!("this job may not push to `{}`", closed.name);
    let warned = |note: &&crate::runner::log::Annotation| {
        note.message.contains(&warning) && note.message.ends_with("it goes to the others only")
    };
    assert!(result.of(Level::Warning).iter().any(warned), "{:?}", result.annotations);
    // Asked for, it is an error.
    let result = job.input("push", "true").native().run();
    assert!(!result.success && result.errors().contains(&closed.name), "{}", result.log());
}

#[test]
fn one_that_fails_among_its_tags_stops_no_other() {
    let proxy = FaultProxy::new(&parts().registry, |request| match request.kind {
        Kind::PutTag if request.reference() == "main" => Answer::status(503).into(),
        _ => Act::Pass,
    });
    let (bad, fine) = (Target::behind(&proxy, "several-bad"), Target::open("several-fine"));
    let job = to(Job::usual("several-bad"), &[&bad, &fine]).input("retries", "0");
    let result = job.native().run();
    assert!(!result.success, "{}", result.log());
    let errors = result.errors();
    let expected = format!("1 of 2 repositories failed\n`{}`: ", bad.name);
    assert!(errors.contains(&expected) && errors.contains("503"), "{errors}");
    fine.holds(&result, &result.outputs["digest"]);
    assert_eq!(bad.tags().len(), 1, "{:?}", bad.tags());
    let log = result.log();
    assert!(log.contains(&format!("{}: complete, under `", fine.name)), "{log}");
    assert!(log.contains(&format!("{}: tags that were put before: `", bad.name)), "{log}");
    assert_eq!(result.outputs["pushed"], "false");
    assert!(result.summary.contains(&format!("{}:latest", fine.name)), "{}", result.summary);
    assert!(!result.summary.contains(&format!("{}:latest", bad.name)), "{}", result.summary);

    proxy.mend();
    let result = good(job.native().run());
    bad.holds(&result, &result.outputs["digest"]);
    fine.holds(&result, &result.outputs["digest"]);
}

#[test]
fn one_that_takes_no_layers_is_left_out() {
    // The first upload is the look before the build.
    let proxy = FaultProxy::new(&parts().registry, |request| match request.kind {
        Kind::StartUpload if request.nth > 0 => Answer::status(503).into(),
        _ => Act::Pass,
    });
    let (bad, fine) = (Target::behind(&proxy, "several-left-bad"), Target::open("several-left-fine"));
    let files = [("Dockerfile", &*dockerfile()), ("greeting", "hello\n")];
    let job = to(Job::new("several-left", &files), &[&bad, &fine]).input("retries", "1");
    let result = job.native().run();
    assert!(!result.success, "{}", result.log());
    let errors = result.errors();
    let expected = format!("1 of 2 repositories failed\n`{}`: ", bad.name);
    assert!(errors.contains(&expected) && errors.contains("503"), "{errors}");
    assert_eq!(times_run(&result), 1, "{}", result.log());
    fine.holds(&result, &result.outputs["digest"]);
    assert_eq!(bad.tags(), Vec::<String>::new());
    assert!(result.log().contains("it is left out, the others get the image"), "{}", result.log());

    proxy.mend();
    let again = good(job.native().run());
    assert_eq!(times_run(&again), 0, "{}", again.log());
    bad.holds(&again, &again.outputs["digest"]);
    fine.holds(&again, &again.outputs["digest"]);
}

#[test]
fn what_one_has_the_others_are_given() {
    let parts = parts();
    let targets =
        [Target::open("several-has"), Target::open("several-beside"), Target::closed("several-copy")];
    let [has, beside, far] = &targets;
    let job = Job::usual("several-has").input("platform", "linux/arm64,linux/amd64");
    let first =
        to(job, &[has]).input("version", "2.0.0").input("registry_auth", &login(&parts.auth_password));
    let first = first.input("provenance", "mode=min").input("platform", "linux/arm64,linux/amd64");
    let built = good(first.native().run());
    let digest = &built.outputs["digest"];

    // The version is there, in one of them.
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let mut job = first.input("repository", &names.join(","));
    let result = good(job.native().run());
    assert_eq!((result.outputs["promoted"].as_str(), &result.outputs["digest"]), ("true", digest));
    for target in &targets {
        target.holds(&result, digest);
        assert!(target.registry.platforms(&target.path, "v2.0.0").len() >= 2, "{}", target.name);
    }
    let log = result.log();
    assert!(!log.contains("load build definition"), "{log}");
    assert!(log.contains("is the result, nothing is built; it is copied to"), "{log}");
    let copied = |target: &Target| {
        let line = format!("copied {}@{digest} to {} in ", has.name, target.name);
        log.lines().find(|one| one.contains(&line)).unwrap_or_else(|| panic!("{log}")).to_owned()
    };
    assert!(copied(beside).contains(" blobs within the registry, 0 through here, 0 B"), "{log}");
    assert!(copied(far).contains("(0 blobs within the registry, "), "{log}");

    // A release of the commit: all have it now, and nothing is copied.
    job.inputs.remove("version");
    job.origin.tag("v3.0.0", Some("Two sizes"));
    job.check_out("refs/tags/v3.0.0", 1);
    job.event = job.event_of("push-tag").replace("v1.2.3", "v3.0.0");
    let result = good(job.native().run());
    assert_eq!(result.outputs["promoted"], "true", "{}", result.log());
    assert!(!result.log().contains("copied "), "{}", result.log());
    for target in &targets {
        assert_eq!(target.digest("v3.0.0"), *digest, "{}", target.name);
    }
}

#[test]
fn a_release_is_promoted_across() {
    let parts = parts();
    let (has, far) = (Target::open("several-promote"), Target::closed("several-promote"));
    let built = to(Job::usual("several-promote"), &[&has]);
    let first = good(built.native().run());
    let mut job = to(built, &[&far, &has]).input("registry_auth", &login(&parts.auth_password));
    job.origin.tag("v1.0.0", Some("Two sizes"));
    job.check_out("refs/tags/v1.0.0", 1);
    job.event = job.event_of("push-tag").replace("v1.2.3", "v1.0.0");
    let result = good(job.native().run());
    assert_eq!(result.outputs["promoted"], "true", "{}", result.log());
    for target in [&has, &far] {
        assert_eq!(target.digest("v1.0.0"), first.outputs["digest"], "{}", target.name);
    }
    assert_eq!(result.outputs["reference"], format!("{}@{}", far.name, first.outputs["digest"]));
}

#[test]
fn nodes_join_in_each() {
    let parts = parts();
    let (open, closed) = (Target::open("several-nodes"), Target::closed("several-nodes"));
    let files = [("Dockerfile", crate::job::DOCKERFILE), ("greeting", "hello\n")];
    let job = Job::alone("several-nodes", &files).built_by(Builder::Nodes);
    let job = to(job, &[&open, &closed]).input("registry_auth", &login(&parts.auth_password));
    let result = good(job.input("platform", "linux/arm64,linux/amd64").run());
    for target in [&open, &closed] {
        target.holds(&result, &result.outputs["digest"]);
        assert!(target.registry.platforms(&target.path, "main").len() >= 2, "{}", target.name);
    }
}
