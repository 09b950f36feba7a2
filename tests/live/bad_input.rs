//! Bad input: a clear error that names the input, and nothing pushed.

use crate::builder::{not_here, on_the_engine};
use crate::job::{Job, parts};
use crate::runner::log::Level;
use crate::runner::step::StepResult;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

/// The step failed, its errors name everything in `parts`, and nothing is in the registry.
fn refused(job: &Job, result: &StepResult, wanted: &[&str]) {
    assert!(!result.success, "{wanted:?} must fail:\n{}", result.log());
    assert!(!result.of(Level::Error).is_empty(), "an error annotation: {}", result.log());
    for part in wanted {
        assert!(
            result.errors().contains(part),
            "`{part}` is not named:\n{}\n--\n{}",
            result.errors(),
            result.log()
        );
    }
    let repository = job.inputs.get("image_name").map(|_| job.repository());
    if let Some(repository) = repository {
        assert_eq!(parts().open_registry().tags(&repository), Vec::<String>::new());
    }
    assert!(!result.log().contains("panicked"), "{}", result.log());
}

#[test]
fn inputs_that_say_nothing_useful_are_refused_by_name() {
    // (input, value, what the error must name)
    let table: &[(&str, &str, &[&str])] = &[
        ("image_name", "", &["image_name"]),
        ("image_name", "a//b", &["image_name", "a//b"]),
        ("image_name", "-api", &["image_name"]),
        ("image_name", "api:1", &["image_name"]),
        ("image_name", "a b", &["image_name"]),
        ("repository", "localhost:1/Acme/API", &["repository"]),
        ("registry", "https://ghcr.io/x", &["registry"]),
        ("platform", "linux/pdp11", &["platform", "pdp11"]),
        ("platform", "linux amd64", &["platform"]),
        ("version", "1.2", &["version", "1.2"]),
        ("version", "latest", &["version"]),
        ("version", "v1.2.3.4", &["version", "v1.2.3.4"]),
        ("version", "🚀", &["version"]),
        ("push", "maybe", &["push", "maybe"]),
        ("dry_run", "yes", &["dry_run"]),
        ("sha_length", "3", &["sha_length"]),
        ("sha_length", "many", &["sha_length"]),
        ("labels", "no-equals-sign", &["labels"]),
        ("build_args", "=x", &["build_args"]),
        ("dockerfile", "Missing", &["dockerfile", "Missing"]),
        ("dockerfile", "../../../etc/passwd", &["dockerfile"]),
        ("dockerfile", "/etc/passwd", &["dockerfile"]),
        ("context", "missing", &["context", "missing"]),
        ("context", "../..", &["context"]),
        ("context", "/etc", &["context"]),
        // Docker's spellings name the right input.
        ("build-args", "A=1", &["build-args", "build_args"]),
        ("platforms", "linux/amd64", &["platforms", "platform"]),
        ("file", "Dockerfile", &["file", "dockerfile"]),
    ];
    let mut job = Job::usual("refused");
    let repository = job.repository();
    let mut faults = Vec::new();
    for (input, value, wanted) in table {
        let usual = job.inputs.clone();
        job.inputs.insert((*input).to_owned(), (*value).to_owned());
        let result = job.native().run();
        let errors = result.errors();
        if result.success
            || wanted.iter().any(|part| !errors.contains(part))
            || !parts().open_registry().tags(&repository).is_empty()
        {
            faults.push(format!(
                "{input}: {value:?} gave {:?}: {errors}\n{}",
                result.exit_code,
                result.log()
            ));
        }
        job.inputs = usual;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn all_faults_are_reported_in_one_run() {
    let job = Job::usual("all-faults")
        .input("version", "1.2")
        .input("platform", "linux/pdp11")
        .input("push", "maybe")
        .input("dockerfile", "Missing");
    let result = job.native().run();
    refused(&job, &result, &["version", "platform", "push", "Missing"]);
    assert!(result.of(Level::Error).len() >= 4, "one annotation each: {}", result.log());
}

#[test]
fn links_do_not_lead_out_of_the_workspace() {
    let job = Job::usual("links");
    let workspace = job.machine.workspace();
    symlink("/etc/passwd", workspace.join("Dockerfile.link")).unwrap();
    symlink("/etc", workspace.join("out")).unwrap();
    symlink("loop", workspace.join("loop")).unwrap();
    for (input, value) in [
        ("dockerfile", "Dockerfile.link"),
        ("context", "out"),
        ("context", "loop"),
        ("dockerfile", "out/passwd"),
    ] {
        let job_inputs = job.inputs.clone();
        let mut step = job.native();
        step.inputs = job_inputs;
        step.inputs.insert(input.to_owned(), value.to_owned());
        refused(&job, &step.run(), &[input]);
    }
}

#[test]
fn a_branch_that_leaves_no_name_is_refused() {
    let mut job = Job::usual("emoji");
    job.origin.git(&["branch", "🚀🚀"]);
    job.event = job.event.replace("refs/heads/main", "refs/heads/🚀🚀");
    job.check_out("refs/heads/🚀🚀", 1);
    refused(&job, &job.native().run(), &["🚀🚀"]);
}

#[test]
fn a_socket_that_is_none_is_explained() {
    if !on_the_engine() {
        return not_here("this builder needs no engine");
    }
    let mut job = Job::usual("socket");
    // Nothing is there: docker makes a directory for the mount, as on machines whose daemon listens elsewhere.
    job.socket = job.machine.temp().join("no-such.sock");
    let result = job.run();
    refused(&job, &result, &["docker.sock"]);
    assert!(result.errors().contains("directory"), "{}", result.errors());

    let missing = job.machine.temp().join("missing.sock");
    let mut step = job.native();
    step.socket.clone_from(&missing);
    refused(&job, &step.run(), &[&missing.display().to_string()]);

    let nobody = job.machine.temp().join("nobody.sock");
    drop(std::os::unix::net::UnixListener::bind(&nobody).unwrap());
    let mut step = job.native();
    step.socket.clone_from(&nobody);
    refused(&job, &step.run(), &[&nobody.display().to_string()]);
}

#[test]
fn no_link_of_the_checkout_leads_to_what_other_steps_keep() {
    let job = Job::usual("links-to-logins");
    let (workspace, temp) = (job.machine.workspace(), job.machine.temp());
    std::fs::create_dir_all(temp.join("docker")).unwrap();
    std::fs::write(temp.join("docker/config.json"), r#"{"auths": {"r.io": {"auth": "aHVudGVyMg=="}}}"#)
        .unwrap();
    symlink(temp.join("docker/config.json"), workspace.join(".npmrc")).unwrap();
    symlink(temp.join("docker"), workspace.join("kept")).unwrap();
    symlink(".git/config", workspace.join("token")).unwrap();
    let logins = "${{ runner.temp }}/docker/config.json";
    for (input, value, place) in [
        ("secret_files", "npm=.npmrc", logins),
        ("secret_files", "npm=kept/config.json", logins),
        ("secret_files", "npm=token", ".git/config"),
        ("ssh", "default=.npmrc", logins),
        ("buildkitd_config", ".npmrc", logins),
        ("builder", "tcp://builder.internal:1234,cacert=.npmrc", logins),
        ("cache_from", "type=local,src=kept", "${{ runner.temp }}/docker"),
        ("build_contexts", "kept=kept", "${{ runner.temp }}/docker"),
        ("build_contexts", "kept=oci-layout://kept", "${{ runner.temp }}/docker"),
        ("context", "kept", "${{ runner.temp }}/docker"),
        ("dockerfile", ".npmrc", logins),
    ] {
        let mut step = job.native();
        step.inputs.insert(input.to_owned(), value.to_owned());
        let result = step.run();
        refused(&job, &result, &[&format!("input `{input}`"), &format!("to `{place}`")]);
        assert!(!result.log().contains("aHVudGVyMg=="), "{}", result.log());
    }
}

/// The daemon would read it, and wait for ever.
#[test]
fn an_ignore_file_that_is_a_pipe_is_refused() {
    let job = Job::usual("pipe-as-ignore-file");
    let made =
        std::process::Command::new("mkfifo").arg(job.machine.workspace().join(".dockerignore")).status();
    assert!(made.unwrap().success());
    refused(&job, &job.native().run(), &["`.dockerignore` is not a regular file"]);
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let job = Job::new(
        "unreadable",
        &[("Dockerfile", COPY_ALL), ("secret/notes.txt", "x"), (".dockerignore", ".git\n")],
    )
    .input("registry", &parts().registry);
    let file = job.machine.workspace().join("secret/notes.txt");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything; without this right it is like anybody else.
    let mut step = job.native();
    let rights = "-dac_override,-dac_read_search";
    step.wrapper = vec!["setpriv".into(), format!("--bounding-set={rights}"), format!("--inh-caps={rights}")];
    let result = step.run();
    refused(&job, &result, &["secret/notes.txt"]);
    assert!(result.errors().to_lowercase().contains("permission denied"), "{}", result.errors());
}

#[test]
fn a_file_that_changes_while_it_is_read_is_named() {
    let job = Job::new("changing", &[("Dockerfile", COPY_ALL), (".dockerignore", ".git\n")])
        .input("platform", "linux/amd64")
        .input("registry", &parts().registry);
    let path = job.machine.workspace().join("large.bin");
    // A hole: quick to make, slow enough to send.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(4 << 30).unwrap();
    let mut running = job.native().start();
    let open_files = format!("/proc/{}/fd", running.process());
    let is_read = || {
        let entries = std::fs::read_dir(&open_files).into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| target == path)
    };
    while !is_read() {
        assert!(!running.ends_within(Duration::from_millis(1)), "the file was never opened");
    }
    file.set_len(1 << 20).unwrap();
    let result = running.wait();
    refused(&job, &result, &["large.bin"]);
    assert!(result.errors().contains("chang"), "{}", result.errors());
}

const COPY_ALL: &str = "ARG BASE=busybox\nFROM ${BASE}\nCOPY . /all\n";
