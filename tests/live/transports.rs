//! Every way to a real buildkitd: the same build gives the same image on each, and a build that is given up ends at
//! once and leaves nothing. The client is called directly here; the action's own choice of a way is in the other tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use docker_push_action::buildkit::{
    Address, BuildError, BuildIds, BuildOutcome, ConnectError, Connection, Provisions, TlsFault, build,
};
use docker_push_action::inputs::config::Dockerfile;
use docker_push_action::model::{ContextSource, Platform, Secret, Tls};
use docker_push_action::plan::build::{BuildPlan, Export};
use tokio::sync::mpsc;

use crate::builder::Container;
use crate::job::parts;
use crate::leftovers::running;
use crate::runner::wait::PATIENCE;

fn tls(name: &str) -> Tls {
    let read = |file: &str| std::fs::read_to_string(parts().tls.join(file)).unwrap();
    Tls {
        ca: Some(read("ca.pem")),
        certificate: Some(read(&format!("{name}cert.pem"))),
        key: Some(Secret::new(read(&format!("{name}key.pem")))),
        server_name: None,
    }
}

fn tcp(url: &str, tls: Option<Tls>) -> Address {
    let (host, port) = url.strip_prefix("tcp://").unwrap().rsplit_once(':').unwrap();
    Address::Tcp { host: host.into(), port: port.parse().unwrap(), tls: tls.map(Arc::new) }
}

fn within(container: &Container) -> Address {
    Address::Exec { socket: parts().socket.clone(), container: container.name.clone() }
}

/// buildkitd in a new container needs a moment.
async fn opened(address: &Address) -> Connection {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Connection::open(address).await {
            Ok(connection) => return connection,
            Err(ConnectError::ExecEnded { .. }) if Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
}

fn plan(context: &Path) -> BuildPlan {
    let dockerfile = Dockerfile {
        directory: Some(context.to_owned()),
        file_name: "Dockerfile".into(),
        in_workspace: "Dockerfile".into(),
    };
    BuildPlan {
        shared_key: context.display().to_string(),
        source_date_epoch: Some(1_700_000_000),
        export: Export::Digest,
        ..BuildPlan::new(
            ContextSource::Directory(context.to_owned()),
            dockerfile,
            vec![Platform::parse("linux/amd64").unwrap()],
        )
    }
}

async fn run(
    connection: &Connection,
    plan: &BuildPlan,
    cancel: impl Future<Output = ()>,
) -> Result<BuildOutcome, BuildError> {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let (updates, _) = mpsc::channel(16);
    let id = format!("{}-{number}", std::process::id());
    let ids = BuildIds { reference: format!("r{id}"), session: format!("s{id}") };
    build(connection, plan, &ids, Provisions::default(), updates, cancel).await
}

#[tokio::test]
async fn the_same_image_by_every_way() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    for number in 0..500 {
        std::fs::write(directory.path().join(format!("file-{number}")), vec![b'x'; number * 10]).unwrap();
    }
    let mut large = vec![0; 20 << 20];
    for (at, byte) in large.iter_mut().enumerate() {
        *byte = u8::try_from((at * 31 + at / 4096) % 251).unwrap();
    }
    std::fs::write(directory.path().join("large"), large).unwrap();

    let container = Container::start("transports-same");
    let unix = Address::BuildkitSocket(parts().remote_unix.strip_prefix("unix://").unwrap().into());
    let mut digests = Vec::new();
    for address in [unix, tcp(&parts().remote, Some(tls(""))), within(&container)] {
        let connection = opened(&address).await;
        let workers = connection.workers().await.unwrap();
        assert!(workers[0].platforms.contains(&"linux/amd64".into()), "{workers:?}");
        let mut plan = plan(directory.path());
        // Nothing that another way has sent is of use.
        plan.shared_key = address.to_string();
        let outcome = run(&connection, &plan, std::future::pending()).await.unwrap();
        connection.close().await;
        let sent: u64 = outcome.transfers.iter().map(|(_, transfer)| transfer.bytes_sent).sum();
        assert!(sent > 20 << 20 || !digests.is_empty(), "{sent} bytes by {address}");
        digests.push(outcome.digest.unwrap().to_string());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

/// Waits until so many processes have such arguments; without help they would run for hours.
async fn until(what: &str, arguments: &str, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while running(arguments) != count {
        assert!(Instant::now() < deadline, "{what}: {} of `{arguments}`", running(arguments));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_build_that_is_given_up_ends_at_once() {
    let container = Container::start("transports-cancel");
    let unix = Address::BuildkitSocket(parts().remote_unix.strip_prefix("unix://").unwrap().into());
    for (address, seconds) in
        [(unix, 9711), (tcp(&parts().remote, Some(tls(""))), 9712), (within(&container), 9713)]
    {
        let directory = tempfile::tempdir().unwrap();
        let dockerfile = format!("FROM {}\nRUN sleep {seconds}\n", parts().base);
        std::fs::write(directory.path().join("Dockerfile"), dockerfile).unwrap();
        let command = format!("sleep {seconds}");
        let plan = plan(directory.path());
        for dropped in [false, true] {
            let connection = opened(&address).await;
            let began = || until("it never runs", &command, 1);
            if dropped {
                tokio::select! {
                    ended = run(&connection, &plan, std::future::pending()) => panic!("{ended:?}"),
                    () = began() => {}
                }
                drop(connection);
            } else {
                let error = run(&connection, &plan, began()).await.unwrap_err();
                assert!(matches!(error, BuildError::Cancelled), "{error:?}");
                connection.close().await;
            }
            let what = format!("{address}, dropped: {dropped}");
            until(&what, &command, 0).await;
            until(&what, "buildctl dial-stdio", 0).await;
        }
    }
}

#[tokio::test]
async fn what_a_real_builder_says_to_wrong_certificates() {
    let fault = async |tls: Option<Tls>| match Connection::open(&tcp(&parts().remote, tls)).await {
        Err(ConnectError::Tls { fault, .. }) => Some(fault),
        Err(ConnectError::HungUp { .. }) => None,
        other => panic!("{other:?}"),
    };
    let good = tls("");
    let other_ca = std::fs::read_to_string(parts().tls.join("other-ca.pem")).unwrap();
    let untrusting = Tls { ca: Some(other_ca), ..good.clone() };
    assert_eq!(fault(Some(untrusting)).await, Some(TlsFault::Untrusted { system: false }));
    let refused = fault(Some(tls("other-"))).await;
    assert!(matches!(refused, Some(TlsFault::OursRefused(_))), "{refused:?}");
    let anonymous = Tls { certificate: None, key: None, ..good.clone() };
    assert_eq!(fault(Some(anonymous)).await, Some(TlsFault::OursMissing));
    let misnamed = Tls { server_name: Some("elsewhere.test".into()), ..good.clone() };
    let wrong = fault(Some(misnamed)).await;
    assert!(
        matches!(&wrong, Some(TlsFault::WrongName { presented, .. }) if !presented.is_empty()),
        "{wrong:?}"
    );
    let named = Tls { server_name: Some("buildkitd.test".into()), ..good };
    Connection::open(&tcp(&parts().remote, Some(named))).await.unwrap();
    // Go hangs up on what is no TLS.
    assert_eq!(fault(None).await, None);
}

/// buildkitd ends connections that ping too often; a step without output must live longer than that takes.
#[tokio::test]
async fn a_step_that_says_nothing_for_long() {
    let directory = tempfile::tempdir().unwrap();
    let dockerfile = format!("FROM {}\nRUN sleep 65\n", parts().base);
    std::fs::write(directory.path().join("Dockerfile"), dockerfile).unwrap();
    let connection = opened(&tcp(&parts().remote, Some(tls("")))).await;
    run(&connection, &plan(directory.path()), std::future::pending()).await.unwrap();
}
