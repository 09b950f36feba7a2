//! A registry that speaks no TLS and is not on loopback: the program itself, with a builder that only notes what it is
//! asked for. A real one stands in `tests/live`.

use docker_push_action::buildkit::Address;

use crate::daemon::{Daemon, Door, Script};
use crate::legs::world::{Ended, World};
use crate::registry::fake::{Answer, Fake, Request, answer};

/// A registry that wants a password, and lets whoever has it begin an upload.
fn reply(request: &Request) -> Answer {
    if request.method.contains('\u{16}') {
        return Answer::Cut(b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec());
    }
    match (request.header("authorization"), request.method.as_str()) {
        (None, _) => answer(401, &["WWW-Authenticate: Basic realm=theirs"], ""),
        (Some(_), "POST") => answer(202, &[&format!("Location: {}1", request.target)], ""),
        (Some(_), "DELETE") => answer(204, &[], ""),
        (Some(_), _) => answer(404, &[], ""),
    }
}

/// Runs a build that is to be pushed there, with this `buildkitd_config`; `HOST` in it is the registry. Whether anything
/// was built.
async fn run(fake: &Fake, config: &str) -> (Ended, bool) {
    // It leads to this machine as well, and is not called loopback.
    let host = format!("0.0.0.0:{}", fake.address.port());
    let world = World::of(&host, "api");
    world.write("Dockerfile", "FROM scratch\n");
    let daemon = Daemon::start(Door::None, Script::Fail(tonic::Status::aborted("built enough")));
    let Address::BuildkitSocket(socket) = daemon.address() else { panic!("a socket") };
    let (builder, config) = (format!("unix://{}", socket.display()), config.replace("HOST", &host));
    let inputs = [
        ("mode", "build"),
        ("builder", builder.as_str()),
        ("buildkitd_config", &config),
        ("platform", "linux/amd64"),
        ("cache", "off"),
        ("username", "octo"),
        ("password", "hunter2"),
        ("retries", "0"),
    ];
    let child = world.start(1, &inputs);
    let ended = tokio::task::spawn_blocking(move || world.end(child)).await.unwrap();
    let built = daemon.seen(|seen| seen.solve.is_some());
    (ended, built)
}

#[tokio::test]
async fn a_registry_without_tls_is_refused_before_anything_is_built() {
    for config in ["", "debug = true", "registry.\"r.io\".http = true", "registry.\"HOST\".insecure = true"] {
        let fake = Fake::start(reply).await;
        let (ended, built) = run(&fake, config).await;
        assert!(!ended.success && !built, "{config}: {}", ended.log);
        for said in ["it answers plain HTTP", "`http = true` below `[registry.", "`insecure-registries`"] {
            assert!(ended.log.contains(said), "{config}: {said}: {}", ended.log);
        }
        assert!(fake.asked().iter().all(|request| request.header("authorization").is_none()));
    }
}

#[tokio::test]
async fn a_registry_without_tls_that_the_builder_may_use_is_used() {
    for config in ["[registry.\"HOST\"]\nhttp = true", "[registry.\"HOST\"]\nhttp = true\ninsecure = true"] {
        let fake = Fake::start(reply).await;
        let (ended, built) = run(&fake, config).await;
        assert!(built, "{config}: {}", ended.log);
        assert!(ended.log.contains("built enough"), "{config}: {}", ended.log);
        assert!(ended.log.contains("logins included, as `buildkitd_config` says"), "{}", ended.log);
        let begun = fake
            .asked()
            .into_iter()
            .any(|asked| asked.method == "POST" && asked.header("authorization").is_some());
        assert!(begun, "{config}: {:?}", fake.lines());
    }
}
