//! `outputs`: BuildKit's exporters beside the push, as buildx writes them; what is hostile in them stays inside.

use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::builder::{not_here, of_buildx};
use crate::job::{Job, parts, published};
use crate::runner::parts::docker;
use crate::runner::wait::until;

const DOCKERFILE: &str = "ARG BASE
FROM ${BASE} AS make
RUN mkdir -p /out/bin /out/empty && echo tool >/out/bin/tool && chmod 6755 /out/bin/tool && ln /out/bin/tool /out/again \\
 && ln -s bin/tool /out/link && ln -s ../../../../etc /out/away && mkfifo /out/fifo \\
 && head -c 3000000 /dev/zero >/out/large && printf hello >'/out/a b' && chmod 500 /out/empty && touch -d '2020-01-02 03:04:05' /out/bin/tool /out/large '/out/a b'
FROM scratch
COPY --from=make /out/ /
";

/// Every file of a directory: its kind, mode, time, length and content's hash, or where it leads.
fn tree(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, base: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(base).unwrap().display().to_string();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode() & 0o777;
            if metadata.is_symlink() {
                found.push(format!("{name} -> {}", std::fs::read_link(&path).unwrap().display()));
            } else if metadata.is_dir() {
                found.push(format!("{name}/ {:o}", mode | 0o700));
                walk(&path, base, found);
            } else if metadata.is_file() {
                let mut hash = std::hash::DefaultHasher::new();
                std::fs::read(&path).unwrap().hash(&mut hash);
                let (time, length) = (metadata.mtime(), metadata.len());
                found.push(format!("{name} {mode:o} {time} {length} {:x}", hash.finish()));
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, &mut found);
    found.sort();
    found
}

fn untar(archive: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let status =
        Command::new("tar").arg("-xpf").arg(archive).arg("-C").arg(directory.path()).status().unwrap();
    assert!(status.success());
    directory
}

fn json(directory: &Path, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join(file)).unwrap()).unwrap()
}

/// The digest that a layout is about.
fn digest(layout: &Path) -> String {
    json(layout, "index.json")["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

fn nothing_half(directory: &Path) {
    let left = Command::new("find").arg(directory).args(["-name", "*.partial"]).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap(), "");
}

#[test]
fn several_at_once_beside_the_push() {
    let job = Job::new("outputs-several", &[("Dockerfile", DOCKERFILE)])
        .input("platform", "linux/amd64")
        .input("provenance", "mode=min")
        .input(
            "outputs",
            "dist\ntype=tar,dest=out/files.tar\ntype=oci,dest=layout.tar\ntype=oci,dest=layout,tar=false\n\
             type=docker,dest=docker.tar\ntype=registry",
        );
    let workspace = job.machine.workspace();
    std::fs::create_dir(workspace.join("dist")).unwrap();
    std::fs::write(workspace.join("dist/kept"), "kept").unwrap();
    job.machine.own();
    let result = job.native().run();
    published(&result);
    // The digest is that of the push, whatever else was exported.
    let manifest = parts().open_registry().manifest(&job.repository(), "main").unwrap();
    assert_eq!(result.outputs["digest"], manifest.digest);

    let files = tree(&workspace.join("dist"));
    for (name, expected) in [
        ("again", "again 755 1577934245 5"),
        ("bin/tool", "bin/tool 755 1577934245 5"),
        ("empty/", "empty/ 700"),
        ("link", "link -> bin/tool"),
        ("away", "away -> ../../../../etc"),
        ("kept", "kept 644"),
    ] {
        let found = files.iter().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(found.starts_with(expected), "{files:?}");
    }
    assert!(!files.iter().any(|line| line.starts_with("fifo") || line.contains("provenance")), "{files:?}");
    let owner = std::fs::metadata(&workspace).unwrap();
    for path in ["dist/bin/tool", "dist/empty", "out", "out/files.tar", "layout/index.json", "docker.tar"] {
        let found = std::fs::metadata(workspace.join(path)).unwrap();
        assert_eq!((found.uid(), found.gid()), (owner.uid(), owner.gid()), "{path}");
    }
    let unpacked = untar(&workspace.join("out/files.tar"));
    let mut without: Vec<String> = files.clone();
    without.retain(|line| !line.starts_with("kept"));
    assert_eq!(tree(unpacked.path()), without);

    // Both layouts hold the platform's image as it was pushed.
    let platform = manifest.json["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let packed = untar(&workspace.join("layout.tar"));
    for layout in [packed.path(), &workspace.join("layout")] {
        let index = json(layout, &format!("blobs/{}", digest(layout).replacen(':', "/", 1)));
        assert_eq!(index["manifests"][0]["digest"], Value::from(platform.clone()));
        assert!(json(layout, &format!("blobs/{}", platform.replacen(':', "/", 1)))["config"].is_object());
    }
    let loaded = docker(&["load", "--input", &workspace.join("docker.tar").display().to_string()]);
    let name = format!("{}/{}:main", parts().localhost(), job.repository());
    assert!(loaded.contains(&name), "{loaded}");
    for line in loaded.lines().filter_map(|line| line.strip_prefix("Loaded image: ")) {
        docker(&["image", "rm", "--force", line]);
    }
    nothing_half(&workspace);
}

#[test]
fn what_is_written_is_what_buildx_writes() {
    let Some(builder) = of_buildx() else { return not_here("the builder is gone when buildx would look") };
    let job = Job::new("outputs-buildx", &[("Dockerfile", DOCKERFILE), (".dockerignore", ".git\n")])
        .input("platform", "linux/amd64")
        .input("push", "false")
        .input(
            "outputs",
            "type=local,dest=ours\ntype=tar,dest=ours.tar\ntype=oci,dest=ours-oci.tar,name=r.invalid/a:1\n\
             type=docker,dest=ours-docker.tar,name=r.invalid/a:1",
        );
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    let workspace = job.machine.workspace();
    let at = |name: &str| workspace.join(name).display().to_string();
    let buildx = |output: String, more: &[String]| {
        let base = format!("BASE={}", parts().base);
        let mut arguments = vec![
            "buildx",
            "build",
            "--builder",
            builder,
            "--build-arg",
            &base,
            "--output",
            &output,
            "--provenance=false",
        ];
        arguments.extend(["--platform", "linux/amd64", "--quiet"]);
        arguments.extend(more.iter().map(String::as_str));
        let context = at("");
        arguments.push(&context);
        docker(&arguments);
    };
    let directory = tempfile::tempdir().unwrap();
    let theirs = |name: &str| directory.path().join(name).display().to_string();
    buildx(format!("type=local,dest={}", theirs("local")), &[]);
    assert_eq!(tree(&workspace.join("ours")), tree(&directory.path().join("local")));
    buildx(format!("type=tar,dest={}", theirs("files.tar")), &[]);
    assert_eq!(
        tree(untar(&workspace.join("ours.tar")).path()),
        tree(untar(&directory.path().join("files.tar")).path())
    );

    // With what the action writes into an image by itself, the image is the same to the last byte.
    let mut more = Vec::new();
    let (mut epoch, mut labelled) = (String::new(), 0);
    for line in result.outputs["labels"].lines() {
        more.extend(["--label".to_owned(), line.to_owned()]);
        labelled += 1;
        if let Some(time) = line.strip_prefix("org.opencontainers.image.created=") {
            let seconds = Command::new("date").args(["-u", "-d", time, "+%s"]).output().unwrap();
            epoch = String::from_utf8(seconds.stdout).unwrap().trim().to_owned();
        }
    }
    assert!(labelled > 3 && !epoch.is_empty(), "{}", result.outputs["labels"]);
    // Docker's format has no annotations.
    let labels = more.clone();
    for line in result.outputs["annotations"].lines() {
        more.extend(["--annotation".to_owned(), line.to_owned()]);
    }
    let output = format!(
        "type=oci,dest={},name=r.invalid/a:1,oci-mediatypes=true,source-date-epoch={epoch}",
        theirs("oci.tar")
    );
    buildx(output, &more);
    let output =
        format!("type=docker,dest={},name=r.invalid/a:1,source-date-epoch={epoch}", theirs("docker.tar"));
    buildx(output, &labels);
    let ours = untar(&workspace.join("ours-docker.tar"));
    let theirs = untar(&directory.path().join("docker.tar"));
    let manifest = |layout: &Path| json(layout, &format!("blobs/{}", digest(layout).replacen(':', "/", 1)));
    assert_eq!(manifest(ours.path()), manifest(theirs.path()));
    for file in ["manifest.json", "index.json"] {
        assert_eq!(json(ours.path(), file), json(theirs.path(), file), "{file}");
    }
    let (ours, theirs) = (untar(&workspace.join("ours-oci.tar")), untar(&directory.path().join("oci.tar")));
    assert_eq!(digest(ours.path()), digest(theirs.path()));
    assert_eq!(json(ours.path(), "index.json"), json(theirs.path(), "index.json"));
    assert_eq!(result.outputs["digest"], digest(ours.path()));
}

#[test]
fn a_disk_that_is_full_leaves_nothing_half() {
    let dockerfile = "ARG BASE\nFROM ${BASE} AS make\nRUN head -c 1500000 /dev/urandom >/a && head -c 1500000 /dev/urandom >/b\n\
        FROM scratch\nCOPY --from=make /a /b /\n";
    let job = Job::new("outputs-full", &[("Dockerfile", dockerfile)]).input("platform", "linux/amd64");
    let small = job.machine.workspace().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=2m", "none", small.to_str().unwrap()];
    assert!(Command::new("mount").args(mount).status().unwrap().success());
    std::fs::create_dir(small.join("dist")).unwrap();
    for old in ["dist/old", "old.tar"] {
        std::fs::write(small.join(old), "old").unwrap();
    }
    let before = tree(&small);
    let results: Vec<_> = [
        ("small/dist", "type=local,dest=small/dist"),
        ("small/new", "small/new"),
        ("small/old.tar", "type=tar,dest=small/old.tar"),
        ("small/layout", "type=oci,dest=small/layout,tar=false"),
        ("small/oci.tar", "type=oci,dest=small/oci.tar"),
        ("small/docker.tar", "type=docker,dest=small/docker.tar"),
    ]
    .map(|(place, output)| {
        let mut step = job.native();
        step.inputs.insert("outputs".into(), output.into());
        let result = step.run();
        (place, result, tree(&small))
    })
    .into();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    for (place, result, after) in results {
        assert!(!result.success, "{place}: {}", result.log());
        let errors = result.errors();
        for part in
            [&format!("writing `{place}`"), "No space left on device", "the disk is full: without it "]
        {
            assert!(errors.contains(part), "{part}: {errors}");
        }
        assert_eq!(after, before, "{place}");
        assert_eq!(result.outputs["pushed"], "true", "{place}: what is out is out");
    }
    assert_eq!(job.tags().len(), 3);
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_half() {
    let dockerfile = "ARG BASE\nFROM ${BASE} AS make\nRUN head -c 300000000 /dev/urandom >/noise\nFROM scratch\nCOPY --from=make /noise /\n";
    let job = Job::new("outputs-stopped", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("push", "false");
    let workspace = job.machine.workspace();
    let bytes = || {
        let large = ["-path", "*.partial*", "-type", "f", "-size", "+1M"];
        !Command::new("find").arg(&workspace).args(large).output().unwrap().stdout.is_empty()
    };
    let before = tree(&workspace);
    for output in
        ["dist", "type=tar,dest=files.tar", "type=oci,dest=layout,tar=false", "type=oci,dest=layout.tar"]
    {
        let mut step = job.native();
        step.inputs.insert("outputs".into(), output.into());
        let running = step.start();
        assert!(until(bytes), "{output}: nothing was begun");
        running.signal("TERM");
        let result = running.wait();
        assert_eq!(result.exit_code, Some(143), "{output}: {}", result.log());
        assert!(result.log().to_lowercase().contains("cancel"), "{output}: {}", result.log());
        assert_eq!(tree(&workspace), before, "{output}");
    }
}

#[test]
fn nothing_of_an_export_leads_out_of_its_place() {
    let hostile = "ARG BASE\nFROM ${BASE} AS make\nRUN mkdir -p /out/.git/hooks && echo evil >/out/.git/hooks/post-checkout\n\
                   FROM scratch\nCOPY --from=make /out/ /\n";
    let job = Job::new("outputs-hostile", &[("Dockerfile", hostile)])
        .input("platform", "linux/amd64")
        .input("push", "false")
        .input("outputs", "type=local,dest=.");
    let result = job.native().run();
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains("is a Git directory's"), "{}", result.errors());
    let workspace = job.machine.workspace();
    assert!(!workspace.join(".git/hooks/post-checkout").exists());
    nothing_half(&workspace);

    // A link in the place of a directory is not followed: what it leads to stays as it is.
    let tame = "ARG BASE\nFROM ${BASE} AS make\nRUN mkdir -p /out/sub && echo new >/out/sub/file\nFROM scratch\nCOPY --from=make /out/ /\n";
    let job = Job::new("outputs-link", &[("Dockerfile", tame)])
        .input("platform", "linux/amd64")
        .input("push", "false")
        .input("outputs", "dist");
    let workspace = job.machine.workspace();
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(workspace.join("dist")).unwrap();
    symlink(outside.path(), workspace.join("dist/sub")).unwrap();
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    assert_eq!(std::fs::read_to_string(workspace.join("dist/sub/file")).unwrap(), "new\n");
    assert_eq!(tree(outside.path()), Vec::<String>::new());
}

#[test]
fn files_of_several_platforms_are_told_apart() {
    let dockerfile = "ARG BASE\nFROM ${BASE} AS make\nARG TARGETARCH\nRUN echo $TARGETARCH >/arch\nFROM scratch\nCOPY --from=make /arch /\n";
    let job = Job::new("outputs-platforms", &[("Dockerfile", dockerfile)])
        .input("push", "false")
        .input("builder", "auto")
        .input("outputs", "type=local,dest=dist");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    for arch in ["amd64", "arm64"] {
        let file = job.machine.workspace().join(format!("dist/linux_{arch}/arch"));
        assert_eq!(std::fs::read_to_string(file).unwrap().trim(), arch);
    }
}
