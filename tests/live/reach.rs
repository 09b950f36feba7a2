//! Registries that the daemon reaches and the action's container does not, or not in the same way.

use crate::job::{DOCKERFILE, Job, parts};
use crate::leftovers::everything;
use crate::runner::parts::docker;
use crate::runner::registry::Registry;

const FILES: &[(&str, &str)] = &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")];

#[test]
fn a_registry_on_the_hosts_loopback_only() {
    let parts = parts();
    for (name, registry) in [("relay", parts.localhost()), ("relay-by-address", parts.registry.clone())] {
        let job = Job::alone(name, FILES).input("registry", &registry).input("platform", "linux/amd64");
        let before = everything(&job);
        let result = job.run();
        assert!(result.success, "{}", result.log());
        assert_eq!(job.tags().len(), 3, "{}", result.log());
        assert!(result.outputs["image"].starts_with(&registry));
        assert_eq!(everything(&job), before, "no helper is left");
    }
}

#[test]
fn a_registry_that_the_bridge_reaches_through_its_gateway() {
    let parts = parts();
    let registry = format!("localhost:{}", parts.gateway_port);
    let job = Job::new("gateway", FILES).input("registry", &registry).input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let store = Registry::open(&format!("127.0.0.1:{}", parts.gateway_port));
    assert_eq!(store.tags(&job.repository()).len(), 3);
}

#[test]
fn a_job_with_services_has_a_network_of_its_own() {
    let parts = parts();
    let mut job = Job::alone("network", FILES).input("platform", "linux/amd64");
    let network = format!("github_network_{}", std::process::id());
    docker(&["network", "create", "--label", "a1b2c3", &network]);
    job.network = Some(network.clone());
    let result = job.run();
    docker(&["network", "rm", &network]);
    assert!(result.success, "{}", result.log());
    assert_eq!(parts.open_registry().tags(&job.repository()).len(), 3);
}
