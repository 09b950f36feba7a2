//! The workflows of the pages in `docs`, as they stand there: each file of a page is taken from the page, committed, and its
//! workflow is run on a real engine, with the tools that it names, once as it is and once with something wrong in it. What is
//! wrong moves no tag.
//!
//! The test gives what a page leaves to its reader: the registry, the base image, and one platform, as it is not the pages'
//! subject.

use crate::job::{Job, parts};
use crate::runner::event::{Event, TIP};
use crate::runner::parts::{docker, project};
use crate::runner::workflow::{Ran, Runner, Texts, Workflow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a page: blocks whose first line names them.
pub fn files_of(page: &str) -> BTreeMap<String, String> {
    let path = project().join("docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let blocks = text.split("\n```").skip(1).step_by(2);
    let file = |block: &str| {
        let (_, body) = block.split_once('\n')?;
        let (first, rest) = body.split_once('\n')?;
        let name = ["# ", "-- ", "<!-- "].iter().find_map(|mark| first.strip_prefix(mark))?;
        let name = name.strip_suffix(" -->").unwrap_or(name);
        let named =
            !name.contains(' ') && (name.contains(['/', '.']) || ["Dockerfile", "greeting"].contains(&name));
        named.then(|| (name.to_owned(), format!("{rest}\n")))
    };
    blocks.filter_map(file).collect()
}

/// A project as a page has it.
struct Site {
    job: Job,
    workflow: Workflow,
    jobs: usize,
    workspace: PathBuf,
    /// What was pushed.
    ref_name: String,
}

impl Site {
    /// With the workflow of this name, for this image.
    fn of(page: &str, workflow: &str, image: &str, base: &str) -> Self {
        let mut files = files_of(page);
        let text = files.remove(&format!(".github/workflows/{workflow}")).expect("the page's workflow");
        files.retain(|name, _| !name.starts_with(".github/"));
        // Its image is another test's, if two are of one page.
        let name = text.lines().find_map(|line| line.split_once("image_name: ")).expect("an image").1;
        let name = name.split([',', ' ']).next().unwrap_or_default();
        let text = text.replace(&format!("image_name: {name}"), &format!("image_name: {image}"));
        let tree: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let job = Job::new(image, &tree).input("build_args", &format!("BASE={base}"));
        let workspace = job.machine.workspace();
        let jobs = text.matches("runs-on:").count();
        assert!(text.contains("permissions: {") && text.contains("pull_request:"), "{text}");
        Self { job, workflow: Workflow::parse(&text), jobs, workspace, ref_name: "main".into() }
    }

    /// A push to `main` that changes a file.
    fn pushed(&mut self, path: &str, text: &str) {
        self.job.origin.write(path, text);
        self.job.origin.commit("Something else");
        self.job.check_out("refs/heads/main", 1);
        self.job.event = self.job.event_of("push-branch");
        self.job.machine.run += 1;
    }

    /// A push of a Git tag at `main`.
    fn tagged(&mut self, version: &str) {
        let commit = self.job.origin.rev("main");
        self.job.origin.git(&["tag", version, &commit]);
        self.job.event = Event::fixture("push-tag").replace(TIP, &commit).replace("v1.2.3", version);
        self.job.check_out(&format!("refs/tags/{version}"), 1);
        self.job.machine.run += 1;
        version.clone_into(&mut self.ref_name);
    }

    fn run(&self) -> Ran {
        self.workflow.run(self)
    }

    /// It goes well, and there are tags.
    fn publishes(&self) -> Texts {
        let ran = self.run();
        assert!(ran.all(self.jobs), "{:?}\n{}", ran.jobs, ran.log);
        let tags = self.digests();
        let of = |tag: &str| tags.get(tag).unwrap_or_else(|| panic!("{tag}: {tags:?}\n{}", ran.log));
        let commit = format!("{}-main", self.job.origin.rev("main"));
        assert_eq!((of("main"), of("latest")), (of(&commit), of(&commit)));
        tags
    }

    /// It does not, and says why; what people pull is what it was.
    fn fails(&self, before: &Texts, said: &[&str]) {
        let ran = self.run();
        assert!(!ran.all(self.jobs), "{}", ran.log);
        for part in said {
            assert!(ran.log.contains(part), "{part}: {}", ran.log);
        }
        assert_eq!(&self.digests(), before, "{}", ran.log);
    }

    /// What is under each tag, but for the records of what is staged.
    fn digests(&self) -> Texts {
        let registry = parts().open_registry();
        let digest = |tag: &String| registry.manifest(&self.job.repository(), tag).expect("a tag").digest;
        let tags = self.job.tags().into_iter().filter(|tag| !tag.starts_with("stage-"));
        tags.map(|tag| (tag.clone(), digest(&tag))).collect()
    }
}

impl Runner for Site {
    fn github(&self, key: &str) -> String {
        match key {
            "actor" => "octocat".into(),
            "ref_name" => self.ref_name.clone(),
            "token" => self.job.machine.token.clone(),
            _ => panic!("the emulator does not know `github.{key}`"),
        }
    }

    fn uses(&self, action: &str, mut with: Texts, env: Texts) -> (bool, Texts, String) {
        match action {
            // The job has done that.
            "actions/checkout@v7" => return (true, Texts::new(), String::new()),
            // Where there is something to keep.
            "actions/upload-artifact@v4" => {
                let files = std::fs::read_dir(self.workspace.join(&with["path"])).map_or(0, Iterator::count);
                return (files > 0, Texts::new(), format!("{files} files"));
            }
            action => assert_eq!(action, "org/docker-push-action@v1"),
        }
        let mut step = self.job.step();
        if with.get("mode").is_none_or(|mode| mode != "tag") {
            step.inputs.insert("platform".into(), format!("linux/{}", native()));
        }
        // Beside the base image.
        if let Some(arguments) = with.remove("build_args") {
            let base = &step.inputs["build_args"];
            with.insert("build_args".into(), format!("{base}\n{arguments}"));
        }
        step.inputs.extend(with);
        step.env.extend(env);
        let result = step.run();
        (result.success, result.outputs.clone(), result.log() + "\n" + &result.errors())
    }

    fn workspace(&self) -> &Path {
        &self.workspace
    }
}

fn native() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// An image of the base, or of nothing, with a program of the parts and these lines.
fn tool(name: &str, tag: &str, dockerfile: &str) {
    let parts = project().join("target/parts");
    let parts = std::env::var_os("PARTS").map_or(parts, PathBuf::from);
    let program = parts.join(format!("go/{name}/bin/{name}"));
    assert!(program.exists(), "`tests/parts/fetch {name}` brings `{}`", program.display());
    let context = tempfile::tempdir().unwrap();
    std::fs::copy(program, context.path().join(name)).unwrap();
    std::fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    let context = context.path().display().to_string();
    let output = if tag.contains(':') && tag.starts_with("127.") { "--push" } else { "--load" };
    docker(&[
        "buildx",
        "build",
        "--quiet",
        "--builder",
        "default",
        "--provenance=false",
        output,
        "--tag",
        tag,
        &context,
    ]);
}

#[test]
fn a_migration_that_fails_gets_no_tag() {
    let base = format!("{}/base/goose:3", parts().registry);
    let dockerfile = format!("FROM {}\nCOPY --chmod=755 goose /bin/goose\n", parts().base);
    tool("goose", &base, &dockerfile);
    let mut site = Site::of("migration-image.md", "migrate.yaml", "migrate", &base);
    let before = site.publishes();
    site.pushed("migrations/00002_prices.sql", "-- +goose Up\nALTER TABLE box ADD COLUMN price INTEGER;\n");
    let said = [
        "`verify`, line 2: `goose sqlite3 /tmp/check.db up` failed on linux/",
        "no such table: box",
        "no tag was moved",
    ];
    site.fails(&before, &said);
    site.pushed("migrations/00002_prices.sql", "ALTER TABLE boxes ADD COLUMN price INTEGER;\n");
    site.fails(
        &before,
        &["`verify`, line 1: `goose validate`", "failed to parse migration", "no tag was moved"],
    );
    site.pushed("migrations/00002_prices.sql", "-- +goose Up\nALTER TABLE boxes ADD COLUMN price INTEGER;\n");
    let after = site.publishes();
    assert_ne!(before["main"], after["main"]);
}

#[test]
fn a_page_that_does_not_come_up_gets_no_tag() {
    let mut site = Site::of("test-before-push.md", "verify.yaml", "front-verified", &parts().base);
    let before = site.publishes();
    site.pushed("www/index.html", "<p>Nothing to see\n");
    site.fails(&before, &["`verify`, line 2", "no tag was moved"]);
    // It answers every request with an error.
    site.pushed("www/index.html", "<h1>Boxes</h1>\n");
    site.pushed(
        "Dockerfile",
        &files_of("test-before-push.md")["Dockerfile"].replace("/www\"]", "/nowhere\"]"),
    );
    site.fails(&before, &["`verify`, line 1", "no tag was moved"]);
}

#[test]
fn what_the_workflows_own_commands_refuse_is_not_pushed() {
    let mut site = Site::of("test-before-push.md", "own-test.yaml", "front", &parts().base);
    let before = site.publishes();
    site.pushed("www/index.html", "<h1>Boxes</h1>\n");
    site.fails(&before, &[]);
    let left = docker(&["ps", "--all", "--quiet", "--filter", "name=^front$"]);
    assert_eq!(left, "", "its container is gone");
    let loaded =
        docker(&["images", "--quiet", &format!("{}/{}", parts().localhost(), site.job.repository())]);
    assert!(!loaded.is_empty(), "it was there for the commands");
    for image in loaded.lines().collect::<std::collections::BTreeSet<_>>() {
        docker(&["image", "rm", "--force", image]);
    }
}

#[test]
fn what_a_scan_refuses_gets_no_tag() {
    let scanner = files_of("scan-before-tag.md")[".github/workflows/docker.yaml"].clone();
    let scanner = scanner.split_whitespace().find(|word| word.starts_with("goodwithtech/dockle:")).unwrap();
    // The suite's registry speaks plain HTTP.
    tool(
        "dockle",
        scanner,
        "FROM scratch\nCOPY --chmod=755 dockle /dockle\nENV DOCKLE_INSECURE=true\nENTRYPOINT [\"/dockle\"]\n",
    );
    // The README has the same workflow.
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    assert!(readme.contains(&files_of("scan-before-tag.md")[".github/workflows/docker.yaml"]));
    let mut site = Site::of("scan-before-tag.md", "docker.yaml", "scanned", &parts().base);
    let before = site.publishes();
    let good = files_of("scan-before-tag.md")["Dockerfile"].clone();
    site.pushed("Dockerfile", &format!("{good}ENV DATABASE_PASSWORD=hunter2\n"));
    site.fails(
        &before,
        &[
            "Do not store credential in environment variables/files",
            "Suspicious ENV key found : DATABASE_PASSWORD",
        ],
    );
    site.pushed("Dockerfile", &good);
    site.pushed("greeting", "Boxes in three sizes\n");
    let after = site.publishes();
    assert_ne!(before["main"], after["main"]);
    docker(&["image", "rm", "--force", scanner]);
    // A fork's run has nothing to scan.
    site.job.event = site.job.event_of("pull_request-fork");
    let ran = site.run();
    assert_eq!(ran.jobs, [("build".to_owned(), true)], "{}", ran.log);
    assert_eq!(site.digests(), after, "{}", ran.log);
}

#[test]
fn a_customer_without_a_registry_gets_a_file() {
    let mut site = Site::of("customer-delivery.md", "deliver.yaml", "box", &parts().base);
    let file = site.workspace.join("dist/box.tar.gz");
    site.tagged("v1.1.0");
    let ran = site.run();
    assert!(ran.all(1), "{}", ran.log);
    for said in ["box.tar.gz: OK", "box v1.1.0", "2 files"] {
        assert!(ran.log.contains(said), "{said}: {}", ran.log);
    }
    assert!(file.exists());
    assert_eq!(site.digests(), Texts::new(), "no registry takes part");
    let name = format!("{}/{}:v1.1.0", parts().localhost(), site.job.repository());
    docker(&["image", "rm", "--force", &docker(&["image", "inspect", "--format", "{{.Id}}", &name])]);
    // What does not start is not delivered.
    let dockerfile = files_of("customer-delivery.md")["Dockerfile"].replace("echo box", "exit 1; echo box");
    site.pushed("Dockerfile", &dockerfile);
    site.tagged("v1.2.0");
    site.fails(&Texts::new(), &["`verify`, line 1: `box --version` failed"]);
    assert!(!file.exists(), "no half file, and no old one");
}

/// What people read is what is run: no page has a workflow that no test takes. That of `deploy.md` is `deploy`'s.
#[test]
fn every_workflow_of_the_pages_is_run() {
    let run = [
        "customer-delivery.md deliver.yaml",
        "deploy.md docker.yaml",
        "migration-image.md migrate.yaml",
        "scan-before-tag.md docker.yaml",
        "test-before-push.md own-test.yaml",
        "test-before-push.md verify.yaml",
    ];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(project().join("docs")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            continue;
        }
        let page = entry.file_name().into_string().unwrap();
        let names = files_of(&page).into_keys();
        let workflows = names.filter_map(|name| name.strip_prefix(".github/workflows/").map(str::to_owned));
        found.extend(workflows.map(|name| format!("{page} {name}")));
    }
    found.sort();
    assert_eq!(found, run);
}
