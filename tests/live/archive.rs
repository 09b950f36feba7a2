//! `archive`: the image in a file, which engines and podman load, with its tags inside: the very image where it was pushed.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::job::{Job, parts, published};
use crate::retry;
use crate::runner::fault_proxy::{Act, Answer, FaultProxy, Kind, Request};
use crate::runner::parts::{docker, try_docker};
use crate::runner::step::StepResult;

/// A directory with what is in an archive, whatever its ending says.
struct Layout(tempfile::TempDir);

impl Layout {
    fn unpack(archive: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        if archive.extension().is_some_and(|ending| ending == "zst") {
            // What unpacks it is podman's own library, below; here it is the one that this crate is linked with.
            let plain = directory.path().join("plain.tar");
            std::fs::write(&plain, unzstd(&std::fs::read(archive).unwrap())).unwrap();
            tar.arg("-xf").arg(plain);
        } else {
            tar.arg("-xf").arg(archive);
        }
        let status = tar.arg("-C").arg(directory.path()).status().unwrap();
        assert!(status.success(), "{}", archive.display());
        Self(directory)
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.path().join(file)).unwrap()).unwrap()
    }

    fn blob(&self, digest: &Value) -> Value {
        self.json(&format!("blobs/{}", digest.as_str().unwrap().replacen(':', "/", 1)))
    }

    /// The names in it, and the one digest that all of them stand for.
    fn names(&self) -> (Vec<String>, String) {
        let index = self.json("index.json");
        let mut digests: Vec<&str> = Vec::new();
        let names = index["manifests"].as_array().unwrap().iter().map(|one| {
            digests.push(one["digest"].as_str().unwrap());
            one["annotations"]["io.containerd.image.name"].as_str().unwrap().to_owned()
        });
        let names: Vec<String> = names.collect();
        digests.dedup();
        assert_eq!(digests.len(), 1, "{index}");
        assert_eq!(self.json("manifest.json")[0]["RepoTags"], serde_json::json!(names));
        (names, digests[0].to_owned())
    }

    /// Config and layers of each platform.
    fn images(&self) -> BTreeMap<String, Vec<String>> {
        let top = self.blob(&self.json("index.json")["manifests"][0]["digest"]);
        images(&top, |digest| self.blob(digest))
    }
}

/// Frames one after the other.
fn unzstd(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let frame = zstd_safe::find_frame_compressed_size(bytes).unwrap();
        let mut content = vec![0; 1 << 20];
        let length = zstd_safe::decompress(content.as_mut_slice(), &bytes[..frame]).unwrap();
        all.extend(&content[..length]);
        bytes = &bytes[frame..];
    }
    all
}

/// Config and layers of each platform of an index, or of an image alone.
fn images(top: &Value, mut read: impl FnMut(&Value) -> Value) -> BTreeMap<String, Vec<String>> {
    let digests = |manifest: &Value| {
        let all = std::iter::once(&manifest["config"]).chain(manifest["layers"].as_array().unwrap());
        all.map(|one| one["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let Some(children) = top["manifests"].as_array() else {
        return [("alone".to_owned(), digests(top))].into();
    };
    let known = children.iter().filter(|child| child["platform"]["os"] != "unknown");
    known
        .map(|child| {
            (child["platform"]["architecture"].as_str().unwrap().to_owned(), digests(&read(&child["digest"])))
        })
        .collect()
}

/// The same of what is in the registry.
fn pushed(job: &Job, digest: &str) -> BTreeMap<String, Vec<String>> {
    let registry = parts().open_registry();
    let read = |digest: &Value| registry.manifest(&job.repository(), digest.as_str().unwrap()).unwrap().json;
    images(&registry.manifest(&job.repository(), digest).unwrap().json, read)
}

fn tags(job: &Job) -> Vec<String> {
    let repository = format!("{}/{}", parts().localhost(), job.repository());
    let commit = format!("{}-main", job.origin.rev("main"));
    [commit.as_str(), "main", "latest"].map(|tag| format!("{repository}:{tag}")).to_vec()
}

/// The file as the output names it; its sum is right, and it is the workspace owner's.
fn written(job: &Job, result: &StepResult, name: &str) -> PathBuf {
    assert!(result.success, "{}", result.log());
    let file = job.machine.workspace().join(name);
    assert_eq!(result.outputs["archive"], file.display().to_string(), "{}", result.log());
    let directory = file.parent().unwrap();
    let sum = format!("{}.sha256", file.file_name().unwrap().to_str().unwrap());
    let checked =
        Command::new("sha256sum").args(["--check", "--quiet", &sum]).current_dir(directory).status().unwrap();
    assert!(checked.success());
    let said = std::fs::read_to_string(directory.join(&sum)).unwrap();
    assert!(result.summary.contains(&said[..64]), "{}", result.summary);
    let owner = std::fs::metadata(job.machine.workspace()).unwrap();
    for file in [&file, &directory.join(sum), &directory.to_owned()] {
        let found = std::fs::metadata(file).unwrap();
        assert_eq!((found.uid(), found.gid()), (owner.uid(), owner.gid()), "{}", file.display());
    }
    assert_eq!(halves(&job.machine.workspace()), Vec::<PathBuf>::new());
    file
}

/// What is left of files that are not whole.
fn halves(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(halves(&path));
        } else if path.extension().is_some_and(|ending| ending == "partial") {
            found.push(path);
        }
    }
    found
}

/// The engine loads it: it has these names then, each the very image, and each runs. It gives them up again.
fn engine_loads(archive: &Path, names: &[String], layout: &Layout) {
    let (_, top) = layout.names();
    let images = layout.images();
    let native = images.get("amd64").or(images.get("alone")).map(|digests| digests[0].clone());
    // What holds whole indexes knows an image by its top, and so all platforms' configs and layers; what holds one platform's
    // image, by that one's config, which names the layers.
    let expected = if parts().graphdriver() { native } else { Some(top) };
    for name in names {
        let _ = try_docker(&["image", "rm", "--force", name]);
    }
    docker(&["load", "--quiet", "--input", &archive.display().to_string()]);
    for name in names {
        let id = docker(&["image", "inspect", "--format", "{{.Id}}", name]);
        assert_eq!(Some(id), expected, "{name}");
        assert_eq!(docker(&["run", "--rm", "--quiet", "--pull", "never", name, "cat", "/greeting"]), "hello");
    }
    for name in names {
        docker(&["image", "rm", "--force", name]);
    }
}

/// podman loads it, into a store of its own: the config of the platform that it takes, by name.
fn podman_loads(archive: &Path) -> BTreeMap<String, String> {
    let store = tempfile::tempdir().unwrap();
    let podman = |arguments: &[&str]| {
        let output = parts().podman(store.path()).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "podman {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    podman(&["load", "--quiet", "--input", &archive.display().to_string()]);
    let listed: Value = serde_json::from_str(&podman(&["images", "--format", "json"])).unwrap();
    let mut found = BTreeMap::new();
    for image in listed.as_array().unwrap() {
        for name in image["Names"].as_array().unwrap() {
            let id = format!("sha256:{}", image["Id"].as_str().unwrap());
            found.insert(name.as_str().unwrap().to_owned(), id);
        }
    }
    found
}

/// All names are there, of one of the platforms.
fn podman_has(archive: &Path, names: &[String], images: &BTreeMap<String, Vec<String>>) {
    // Debian 12's podman, as its pgzip is older than 1.2.6, reads no gzip in Docker's format, whoever made it, and takes that
    // format where there are several names.
    let directory = tempfile::tempdir().unwrap();
    let unzipped = directory.path().join("plain.tar");
    let old = archive.extension().is_some_and(|ending| ending == "gz") && names.len() > 1;
    if old {
        let file = std::fs::File::create(&unzipped).unwrap();
        assert!(Command::new("gzip").arg("-dc").arg(archive).stdout(file).status().unwrap().success());
    }
    let found = podman_loads(if old { &unzipped } else { archive });
    let mut expected = names.to_vec();
    expected.sort();
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
    let configs: Vec<&String> = images.values().map(|digests| &digests[0]).collect();
    assert!(found.values().all(|config| configs.contains(&config)), "{found:?}, {configs:?}");
}

#[test]
fn what_is_pushed_is_in_the_file_as_it_is_in_the_registry() {
    let job = Job::usual("archive-pushed");
    for (name, one) in [("dist/deep/api.tar.gz", false), ("api.tar.zst", true), ("api.tar", false)] {
        let mut step = job.native();
        step.inputs.insert("archive".into(), name.into());
        if one {
            step.inputs.insert("platform".into(), "linux/amd64".into());
        }
        let result = step.run();
        published(&result);
        let file = written(&job, &result, name);
        let layout = Layout::unpack(&file);
        let (names, digest) = layout.names();
        assert_eq!(names, tags(&job), "{name}");
        assert_eq!(digest, result.outputs["digest"], "{name}");
        assert_eq!(layout.images(), pushed(&job, &digest), "{name}");
        assert_eq!(layout.images().len(), if one { 1 } else { 2 });
        engine_loads(&file, &names, &layout);
        podman_has(&file, &names, &layout.images());
    }
}

#[test]
fn what_is_not_pushed_needs_no_registry_and_no_login() {
    let job = Job::usual("archive-unpushed")
        .without("builder")
        .without("registry")
        .without("username")
        .without("password")
        .input("push", "false");
    let remote = parts().remote_unix.clone();
    for (builder, name, platform) in [
        ("auto", "api.tar", "linux/amd64"),
        ("auto", "api.tar.gz", "linux/arm64,linux/amd64"),
        ("docker-container", "api.tar.zst", "linux/arm64,linux/amd64"),
        (&remote, "dist/api.tar.gz", "linux/amd64"),
    ] {
        // A container of its own reaches the base image on the host's loopback only if the image is for there, too.
        let contained = builder == "docker-container" || builder == "auto" && parts().graphdriver();
        let repository = if contained {
            format!("{}/{}", parts().localhost(), job.repository())
        } else {
            "registry.invalid/acme/api".to_owned()
        };
        let names: Vec<String> = tags(&job)
            .iter()
            .map(|name| format!("{repository}:{}", name.rsplit(':').next().unwrap()))
            .collect();
        let mut step = job.native();
        for (input, value) in [
            ("repository", repository.as_str()),
            ("builder", builder),
            ("archive", name),
            ("platform", platform),
            ("builder_image", &parts().buildkit_image),
            ("builder_keep", "false"),
        ] {
            step.inputs.insert(input.into(), value.into());
        }
        step.inputs.remove("image_name");
        let result = step.run();
        let file = written(&job, &result, name);
        assert_eq!(result.outputs["pushed"], "false");
        let layout = Layout::unpack(&file);
        let (found, digest) = layout.names();
        assert_eq!(found, names, "{builder} {name}");
        assert_eq!(digest, result.outputs["digest"], "{builder} {name}");
        engine_loads(&file, &names, &layout);
        podman_has(&file, &names, &layout.images());
        std::fs::remove_file(&file).unwrap();
    }
}

/// What is written lies in the build context: it must not become a part of the image, nor make the build run again.
#[test]
fn what_is_written_into_the_context_changes_no_image() {
    let dockerfile =
        "ARG BASE\nFROM ${BASE}\nCOPY . /all\nRUN find /all -name '*.partial' >/seen; echo ran; cat /seen\n";
    let job = Job::new("archive-context", &[("Dockerfile", dockerfile), ("greeting", "hello\n")])
        .input("platform", "linux/amd64")
        .input("archive", "dist/api.tar")
        .input("cache_to", "type=local,dest=.cache-of-build");
    for push in ["true", "false"] {
        let mut step = job.native();
        step.inputs.insert("push".into(), push.into());
        let result = step.run();
        let file = written(&job, &result, "dist/api.tar");
        // A builder may need a moment before it finds again what it has made; of another context it would never find it.
        assert!(result.log().contains("cache written to the directory"), "{}", result.log());
        assert_eq!(Layout::unpack(&file).names().1, result.outputs["digest"]);
        std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    }
}

#[test]
fn a_disk_that_is_full_leaves_no_half_file() {
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN head -c 3000000 /dev/urandom >/noise\n";
    let job = Job::new("archive-full", &[("Dockerfile", dockerfile)]).input("platform", "linux/amd64");
    let small = job.machine.workspace().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=1m", "none", small.to_str().unwrap()];
    assert!(Command::new("mount").args(mount).status().unwrap().success());
    let old = small.join("api.tar");
    std::fs::write(&old, "old").unwrap();
    let results: Vec<_> = ["true", "false"]
        .iter()
        .flat_map(|push| ["small/api.tar", "small/new.tar.gz"].map(|name| (push, name)))
        .map(|(push, name)| {
            let mut step = job.native();
            step.inputs.insert("archive".into(), name.into());
            step.inputs.insert("push".into(), (*push).into());
            let result = step.run();
            let left: Vec<_> =
                std::fs::read_dir(&small).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            (result, left, std::fs::read_to_string(&old).unwrap())
        })
        .collect();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    for (result, left, kept) in results {
        assert!(!result.success, "{}", result.log());
        let errors = result.errors();
        assert!(errors.contains("writing `small/") && errors.contains("No space left on device"), "{errors}");
        assert!(errors.contains("the disk is full: without it 1.0 MB of 1.0 MB are free there"), "{errors}");
        assert_eq!((left, kept.as_str()), (vec!["api.tar".into()], "old"));
        assert_eq!(result.outputs["archive"], "");
    }
    // It is published all the same, and the outputs say so.
    assert_eq!(job.tags().len(), 3);
}

#[test]
fn a_run_that_is_stopped_leaves_no_half_file() {
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN head -c 300000000 /dev/urandom >/noise\n";
    let job = Job::new("archive-stopped", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("archive", "api.tar.gz");
    for push in ["true", "false"] {
        let mut step = job.native();
        step.inputs.insert("push".into(), push.into());
        let running = step.start();
        let workspace = job.machine.workspace();
        let began = || {
            let sizes = halves(&workspace);
            sizes.iter().any(|file| std::fs::metadata(file).is_ok_and(|found| found.len() > 1 << 20))
        };
        assert!(crate::runner::wait::until(began), "no archive was begun");
        running.signal("TERM");
        let result = running.wait();
        assert_eq!(result.exit_code, Some(143), "{}", result.log());
        assert_eq!(halves(&workspace), Vec::<PathBuf>::new());
        assert!(!workspace.join("api.tar.gz").exists());
    }
}

/// It lies in the build context.
#[test]
fn what_a_killed_run_left_is_removed_before_the_next_one_builds() {
    let dockerfile = "ARG BASE\nFROM ${BASE} AS noise\nRUN head -c 300000000 /dev/urandom >/noise\n\
        FROM noise\nCOPY . /all\nRUN ! find /all -name '*.partial' | grep .\n";
    let job = Job::new("archive-killed", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("push", "false")
        .input("archive", "dist/api.tar.gz")
        .input("outputs", "type=oci,dest=layout,tar=false");
    let workspace = job.machine.workspace();
    let running = job.native().start();
    let began = || {
        let sizes = halves(&workspace);
        sizes.iter().any(|file| std::fs::metadata(file).is_ok_and(|found| found.len() > 1 << 20))
    };
    assert!(crate::runner::wait::until(began), "no archive was begun");
    let killed = Command::new("kill").args(["-KILL", &running.process().to_string()]).status();
    assert!(killed.unwrap().success());
    drop(running.wait());
    assert_eq!(halves(&workspace).len(), 1);
    // As one that was killed later would have left it.
    let layout = workspace.join(format!(".layout.{}.partial", "0".repeat(32)));
    std::fs::create_dir(&layout).unwrap();
    std::fs::write(layout.join("index.json"), "half").unwrap();
    let result = job.native().run();
    written(&job, &result, "dist/api.tar.gz");
    assert_eq!(result.log().matches(", which a run that was killed had left").count(), 2, "{}", result.log());
    assert!(!layout.exists() && workspace.join("layout/index.json").is_file());
}

/// For longer than a connection: each look at a layer is answered 503 so many times.
#[test]
fn a_registry_that_stumbles_is_read_again() {
    for (times, retries) in [(3, "auto"), (u32::MAX, "0")] {
        let mut left = times;
        let proxy = FaultProxy::new(&parts().registry, move |request: &Request| {
            if request.kind == Kind::GetBlob && request.is_ours() && left > 0 {
                left -= 1;
                return Answer::status(503).into();
            }
            Act::Pass
        });
        let job = retry::job(&format!("archive-stumbles-{retries}"), &proxy)
            .input("archive", "api.tar")
            .input("retries", retries);
        let result = job.native().run();
        assert_eq!(result.success, retries == "auto", "{}", result.log());
        assert_eq!(result.outputs["pushed"], "true");
        if result.success {
            assert_eq!(
                Layout::unpack(&written(&job, &result, "api.tar")).names().1,
                result.outputs["digest"]
            );
        } else {
            assert!(result.errors().contains("503"), "{}", result.errors());
            assert!(!job.machine.workspace().join("api.tar").exists());
        }
        assert_eq!(halves(&job.machine.workspace()), Vec::<PathBuf>::new());
    }
}

#[test]
fn an_image_that_was_there_is_archived_from_its_registry() {
    let job = Job::usual("archive-tagged");
    let result = job.native().run();
    published(&result);
    let mut step = job.native();
    for (input, value) in [
        ("mode", "tag"),
        ("from", result.outputs["reference"].as_str()),
        ("tags", "given"),
        ("archive", "given.tar.gz"),
    ] {
        step.inputs.insert(input.into(), value.into());
    }
    step.inputs.remove("platform");
    let tagged = step.run();
    let file = written(&job, &tagged, "given.tar.gz");
    let layout = Layout::unpack(&file);
    let (names, digest) = layout.names();
    podman_has(&file, &names, &layout.images());
    assert_eq!(names, [format!("{}/{}:given", parts().localhost(), job.repository())]);
    assert_eq!(digest, result.outputs["digest"]);
}
