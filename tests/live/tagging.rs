//! `mode: tag`: images that were built by another job, or by another tool, get their tags in a job of their own: without a
//! checkout, in the same repository, in others, one platform of them. Registries and builders are real, GitHub answers from a
//! real repository.

use crate::job::{Job, parts};
use crate::order::{good, held};
use crate::runner::event::{BEFORE, Event, TIP};
use crate::runner::github_api::GithubApi;
use crate::runner::log::Level;
use crate::runner::parts::docker;
use crate::runner::step::StepResult;
use crate::several::{Target, login, to};
use serde_json::Value;

/// The job that puts tags on this image: nothing is checked out.
fn tagging(job: Job, from: &str) -> Job {
    let workspace = job.machine.workspace();
    std::fs::remove_dir_all(&workspace).unwrap();
    std::fs::create_dir_all(&workspace).unwrap();
    job.machine.own();
    job.without("tags").without("platform").without("build_args").input("mode", "tag").input("from", from)
}

fn plan(result: &StepResult) -> Value {
    serde_json::from_str(&result.outputs["plan"]).unwrap()
}

fn built_nothing(result: &StepResult) {
    assert!(!result.summary.contains("load build definition"), "{}", result.log());
    assert_eq!(result.outputs["promoted"], "true");
}

#[test]
fn one_job_builds_and_another_tags() {
    let job =
        Job::usual("tagging-staged").input("tags", "candidate").input("platform", "linux/arm64,linux/amd64");
    let sha = job.origin.rev("main");
    let built = good(job.native().run());
    let (digest, reference) = (&built.outputs["digest"], &built.outputs["reference"]);
    assert_eq!(job.tags(), ["candidate"]);
    let job = tagging(job, reference);
    // In its container, from which the registry on the host's loopback is another way.
    let result = good(job.run());
    built_nothing(&result);
    assert_eq!(result.of(Level::Warning).len(), 0, "{}", result.log());
    assert_eq!(&result.outputs["digest"], digest);
    let mut expected = vec![format!("{sha}-main"), "candidate".into(), "latest".into(), "main".into()];
    expected.sort();
    assert_eq!(job.tags(), expected);
    let registry = parts().open_registry();
    for tag in &expected {
        assert_eq!(&registry.manifest(&job.repository(), tag).unwrap().digest, digest, "{tag}");
    }
    assert_eq!(registry.platforms(&job.repository(), "latest").len(), 2);
    assert_eq!(result.outputs["labels"], built.outputs["labels"], "they are the image's own");
    let plan = plan(&result);
    assert_eq!(
        (plan["revision"].as_str(), plan["from"]["commit_source"].as_str()),
        (Some(&*sha), Some("stamp"))
    );
    // Once more: nothing is left to do, and it succeeds.
    assert_eq!(&good(job.native().run()).outputs["digest"], digest);
}

#[test]
fn copied_to_another_repository_and_another_registry() {
    let (here, beside) = (Target::open("tagging-copied"), Target::open("tagging-beside"));
    let far = Target::closed("tagging-far");
    let job =
        Job::usual("tagging-copied").input("platform", "linux/arm64,linux/amd64").input("provenance", "true");
    let built = good(job.native().run());
    let digest = &built.outputs["digest"];
    let job = tagging(job, &format!("{}:main", here.name));
    let both = to(job, &[&beside, &far]).input("registry_auth", &login(&parts().auth_password));
    let whole = both.without("platform").input("version", "1.2.3");
    let result = good(whole.native().run());
    built_nothing(&result);
    for target in [&beside, &far] {
        target.holds(&result, digest);
        assert!(target.platforms("v1.2.3").len() >= 2, "{}", target.name);
    }
    let copied = |target: &Target| {
        let line = format!("copied {}@{digest} to {} in ", here.name, target.name);
        let log = result.log();
        log.lines().find(|one| one.contains(&line)).unwrap_or_else(|| panic!("{log}")).to_owned()
    };
    assert!(copied(&beside).contains(" blobs within the registry, 0 through here, 0 B"));
    assert!(copied(&far).contains("(0 blobs within the registry, "));

    // One platform of it, which is an image by itself then.
    let one = whole.input("platform", "linux/arm64").without("version").input("tags", "arm64");
    let result = good(one.native().run());
    let child = &parts().open_registry().platforms("acme/shop/tagging-copied", "main")["linux/arm64"].digest;
    for target in [&beside, &far] {
        assert_eq!(&target.digest("arm64"), child, "{}", target.name);
        assert_eq!(target.platforms("arm64"), ["linux/arm64"]);
    }
    assert!(result.log().contains("the attestations of linux/arm64 are in the index"), "{}", result.log());
    assert!(result.outputs["imageid"].starts_with("sha256:"), "{:?}", result.outputs);
    let one = one.input("platform", "linux/s390x");
    let none = one.native().run();
    assert!(
        none.errors().contains("it has no image for `linux/s390x`, but linux/arm64, linux/amd64"),
        "{}",
        none.errors()
    );

    // Back from the registry that wants a login, which is looked for as any other.
    let from_far =
        one.without("platform").input("tags", "back").input("from", &format!("{}:v1.2.3", far.name));
    let back = to(from_far, &[&beside]).without("platform");
    good(back.native().run());
    assert_eq!(&beside.digest("back"), digest);
    let refused = back.input("registry_auth", &login("wrong-password-4")).native().run();
    assert!(refused.errors().contains("needs the right to pull it"), "{}", refused.errors());
}

/// Two commits, each with its image; the older one's is released after all.
#[test]
fn an_older_image_gets_its_version_and_moves_nothing_back() {
    let mut job = Job::usual("tagging-older").input("platform", "linux/amd64");
    let api = GithubApi::start("127.0.0.1", job.origin.path());
    job.machine.api_url.clone_from(&api.url);
    let event =
        |commit: &str| Event::fixture("push-branch").replace(TIP, commit).replace(BEFORE, &"7".repeat(40));
    let older = job.origin.rev("main");
    job.event = event(&older);
    let first = good(job.native().run());
    job.origin.write("greeting", "three sizes\n");
    let newer = job.origin.commit("Sell them in three");
    job.check_out("refs/heads/main", 1);
    job.event = event(&newer);
    let second = good(job.native().run());
    let digest = |job: &Job, tag: &str| {
        let found = parts().open_registry().manifest(&job.repository(), tag);
        found.map_or_else(String::new, |found| found.digest)
    };

    let mut job = tagging(job, &first.outputs["reference"]).input("version", "1.2.3");
    job.event = Event::fixture("workflow_dispatch").replace(TIP, &newer);
    let result = good(job.native().run());
    built_nothing(&result);
    assert_eq!(held(&result), ["main", "latest"], "{}", result.log());
    assert!(
        result.log().contains(&format!("it is on the newer commit {}", &newer[..12])),
        "{}",
        result.log()
    );
    assert_eq!(result.outputs["tag_names"], format!("{older}-main\nv1.2.3"));
    assert_eq!(
        (&digest(&job, "v1.2.3"), &digest(&job, "latest")),
        (&first.outputs["digest"], &second.outputs["digest"])
    );
    // The version is taken now.
    let other = job.input("from", &second.outputs["reference"]);
    let taken = other.native().run();
    let expected = format!("the version's tag `v1.2.3` exists already, on the image of commit {older}");
    assert!(taken.errors().contains(&expected), "{}", taken.errors());
    // Rolled back, as asked.
    let back =
        other.input("from", &first.outputs["reference"]).without("version").input("hold_back", "false");
    assert_eq!(held(&good(back.native().run())), Vec::<String>::new());
    assert_eq!(digest(&back, "latest"), first.outputs["digest"]);
}

/// What the docker client builds and pushes: without our annotations, with a label or without.
#[test]
fn images_of_another_tool() {
    let job = Job::usual("tagging-stranger");
    let sha = job.origin.rev("main");
    let name = |tag: &str| format!("{}/{}:{tag}", parts().localhost(), job.repository());
    let context = job.machine.workspace().display().to_string();
    let base = format!("BASE={}", parts().base);
    let label = format!("org.opencontainers.image.revision={sha}");
    docker(&["build", "--build-arg", &base, "--label", &label, "--tag", &name("labelled"), &context]);
    docker(&["build", "--build-arg", &base, "--label", "a=1", "--tag", &name("bare"), &context]);
    for tag in ["labelled", "bare"] {
        docker(&["push", &name(tag)]);
    }
    let [labelled, unlabelled] = [name("labelled"), name("bare")];
    let job = tagging(job, &labelled);
    let result = good(job.native().run());
    built_nothing(&result);
    assert_eq!(result.outputs["tag_names"], format!("{sha}-main\nmain\nlatest"), "{}", result.log());
    assert_eq!(plan(&result)["from"]["commit_source"], "label");
    assert!(result.outputs["labels"].lines().any(|line| line == label), "{}", result.outputs["labels"]);

    let job = job.input("from", &unlabelled);
    let result = good(job.native().run());
    assert_eq!(result.outputs["tag_names"], "main\nlatest", "{}", result.log());
    let warned = |part: &str| result.of(Level::Warning).iter().any(|note| note.message.contains(part));
    assert!(warned("there is no commit tag: the image does not say its commit"), "{}", result.log());
    assert!(warned("`latest` is moved, though the commit of this run is not known"), "{}", result.log());
    assert_eq!(plan(&result)["revision"], Value::Null);
    let registry = parts().open_registry();
    let digest = |tag: &str| registry.manifest(&job.repository(), tag).unwrap().digest;
    assert_eq!((digest("latest"), digest("main")), (digest("bare"), digest("bare")));
    assert_eq!(digest(&format!("{sha}-main")), digest("labelled"));
}
