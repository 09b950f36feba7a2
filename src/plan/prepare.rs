//! What the action `prepare` has made before the run that needs it: the builder's container, emulators.
//!
//! Decides as `builder` does and knows less: no checkout, so no Dockerfile and no tags. What it gets wrong costs time
//! and nothing else, as the run decides again.

use super::builder::{BuilderInputs, ContainerPlan, Needs, certain_container, plan_builder};
use super::emulation;
use super::error::PlanError;
use super::facts::BuilderFacts;
use crate::inputs::config::Push;
use crate::inputs::prepare::Preparation;
use crate::metadata::{PushDecision, push_by_event};
use crate::model::Platform;
use crate::runner::context::RunnerContext;

/// What can be made ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AheadPlan {
    /// The container that will build, if one is to be made.
    pub container: Option<ContainerPlan>,
    /// Platforms whose emulators are missing on the daemon's machine.
    pub emulators: Vec<Platform>,
    /// Who will build and why, for people. May hold a daemon's words.
    pub builder: String,
}

impl AheadPlan {
    /// There is nothing to make.
    pub fn is_empty(&self) -> bool {
        self.container.is_none() && self.emulators.is_empty()
    }
}

/// Decides what is made ahead; `None` when this event builds nothing.
///
/// # Errors
/// The builder cannot do what will be needed.
pub fn plan_ahead(
    asked: &Preparation,
    context: &RunnerContext,
    facts: &BuilderFacts,
) -> Result<Option<AheadPlan>, PlanError> {
    let Some(by_event) = push_by_event(context) else { return Ok(None) };
    let pushes = match (asked.push, by_event) {
        (Push::No | Push::Nowhere, _)
        | (_, PushDecision::NoPush(_))
        | (Push::Auto, PushDecision::OnlyIfAsked(_)) => false,
        (Push::Yes, _) | (Push::Auto, PushDecision::Push { .. }) => true,
    };
    let needs = Needs {
        pushes,
        platforms: &asked.platforms,
        entitlements: &asked.entitlements,
        // Where it is written to matters to a builder that cannot push either.
        cache_to: &[],
        writes: &[],
    };
    let builder = plan_builder(asked.into(), context, &needs, facts)?;
    let emulators = if asked.builder.emulation { emulation::ahead(&builder) } else { Vec::new() };
    Ok(Some(AheadPlan { container: builder.own_container().cloned(), emulators, builder: builder.text() }))
}

/// The container that will build if anything is built, as far as that is certain before anything was looked at.
pub fn certain(asked: &Preparation, context: &RunnerContext) -> Option<ContainerPlan> {
    push_by_event(context)?;
    certain_container(asked.into(), context)
}

impl<'a> From<&'a Preparation> for BuilderInputs<'a> {
    fn from(asked: &'a Preparation) -> Self {
        Self { options: &asked.builder, entitlements: &asked.entitlements, registry: &asked.registry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::BuilderOptions;
    use crate::metadata::fixture::{config, context, push};
    use crate::model::{BuilderAddress, BuilderChoice, BuilderNode, RegistryHost};
    use crate::plan::facts::DaemonFacts;
    use crate::runner::context::Event;

    fn facts(store: bool) -> BuilderFacts {
        let platforms = ["linux/amd64", "linux/386"].map(|text| Platform::parse(text).unwrap());
        let daemon = DaemonFacts {
            name: "Docker Engine 28.0.4".into(),
            containerd_image_store: store,
            platforms: platforms.to_vec(),
            host_gateway: None,
        };
        daemon.into()
    }

    fn asked(platforms: &str) -> Preparation {
        Preparation {
            platforms: platforms.split(' ').map(|text| Platform::parse(text).unwrap()).collect(),
            registry: RegistryHost::parse("ghcr.io").unwrap(),
            entitlements: Vec::new(),
            push: Push::Auto,
            builder: BuilderOptions::default(),
        }
    }

    #[test]
    fn what_is_made_ahead() {
        let main = context(push(), "refs/heads/main");
        let several = "linux/amd64 linux/arm64 linux/riscv64 windows/amd64";
        for (asked, store, container, emulators) in [
            (asked("linux/amd64"), true, false, ""),
            (asked("linux/amd64"), false, true, ""),
            (Preparation { push: Push::No, ..asked("linux/amd64") }, false, false, ""),
            (Preparation { push: Push::Nowhere, ..asked("linux/amd64") }, false, false, ""),
            (asked(several), true, false, "linux/arm64 linux/riscv64"),
            (asked(several), false, true, "linux/arm64 linux/riscv64"),
            (
                Preparation {
                    builder: BuilderOptions { emulation: false, ..BuilderOptions::default() },
                    ..asked(several)
                },
                true,
                false,
                "",
            ),
            // It may emulate by itself: seen when it is used.
            (
                Preparation {
                    builder: BuilderOptions {
                        choice: BuilderChoice::Nodes(vec![BuilderNode {
                            address: BuilderAddress::Container("ci".into()),
                            platforms: Vec::new(),
                        }]),
                        ..BuilderOptions::default()
                    },
                    ..asked(several)
                },
                true,
                false,
                "",
            ),
        ] {
            let plan = plan_ahead(&asked, &main, &facts(store)).unwrap().unwrap();
            assert_eq!(plan.container.is_some(), container, "{asked:?}");
            let found: Vec<String> = plan.emulators.iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), emulators, "{asked:?}");
            assert_eq!(plan.is_empty(), !container && emulators.is_empty());
        }
        let deleted = context(Event::Push { deleted: true }, "refs/heads/main");
        assert_eq!(plan_ahead(&asked(several), &deleted, &facts(false)), Ok(None));
    }

    #[test]
    fn what_needs_no_look_at_the_daemon() {
        let main = context(push(), "refs/heads/main");
        let node = |address, platforms: &str| BuilderNode {
            address,
            platforms: platforms.split_whitespace().map(|text| Platform::parse(text).unwrap()).collect(),
        };
        let nodes = |nodes: Vec<BuilderNode>| Preparation {
            builder: BuilderOptions { choice: BuilderChoice::Nodes(nodes), ..BuilderOptions::default() },
            ..asked("linux/amd64")
        };
        let own = nodes(vec![node(BuilderAddress::OwnContainer, "")]);
        let planned = plan_ahead(&own, &main, &facts(true)).unwrap().unwrap();
        assert_eq!(certain(&own, &main), planned.container);
        assert!(planned.container.is_some());
        for open in [
            asked("linux/amd64"),
            nodes(vec![node(BuilderAddress::Docker, "")]),
            nodes(vec![node(BuilderAddress::OwnContainer, ""), node(BuilderAddress::Docker, "linux/amd64")]),
        ] {
            assert_eq!(certain(&open, &main), None, "{open:?}");
        }
        assert_eq!(certain(&own, &context(Event::Push { deleted: true }, "refs/heads/main")), None);
    }

    /// The main step looks for the container by its name.
    #[test]
    fn the_same_container_as_in_the_run() {
        let context = context(push(), "refs/heads/main");
        let mut config = config();
        config.build.entitlements = vec!["security.insecure".into()];
        config.builder.buildkitd_config = Some("debug = true".into());
        let needs = Needs {
            pushes: true,
            platforms: &config.platforms,
            entitlements: &["network.host".to_owned(), "security.insecure".to_owned()],
            cache_to: &[],
            writes: &[],
        };
        let run = plan_builder((&config).into(), &context, &needs, &facts(false)).unwrap();
        let preparation = Preparation::from(&config);
        let ahead = plan_ahead(&preparation, &context, &facts(false)).unwrap().unwrap();
        assert_eq!(ahead.container.as_ref(), run.own_container());
        let json = serde_json::to_string(&ahead.container).unwrap();
        assert_eq!(serde_json::from_str::<Option<ContainerPlan>>(&json).unwrap(), ahead.container);
        let elsewhere =
            Preparation { registry: RegistryHost::parse("localhost:5000").unwrap(), ..preparation };
        let ahead = plan_ahead(&elsewhere, &context, &facts(false)).unwrap().unwrap().container.unwrap();
        assert!(ahead.host_network && Some(&ahead.name) != run.own_container().map(|one| &one.name));
    }
}
