//! The run: facts, plan, build, tags, report, in this order.
//!
//! Owns the effects and their order; decides nothing about *what* is done: that stands in the plan. What was done is
//! kept in a [`Record`] as it happens, so that a run that fails or is cancelled still reports it.

mod build;
mod builder;
mod decide;
mod early;
mod emulation;
mod existing;
mod export;
mod follow;
mod foresee;
mod gather;
mod history;
mod legs;
mod login;
mod nodes;
mod outputs;
mod persist;
mod preflight;
mod prepare;
mod publish;
mod pulls;
mod push;
mod record;
mod registries;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::buildkit::{Address, GithubCache};
use crate::error::{RunError, Stop};
use crate::github::CacheTrouble;
use crate::inputs::config::{Config, Mode};
use crate::inputs::fault::Level;
use crate::inputs::mask::{self, secrets_to_mask};
use crate::inputs::raw::RawInputs;
use crate::model::Secret;
use crate::net::Network;
use crate::plan::legs::Part;
use crate::plan::outlook::Outlook;
use crate::plan::{self, RunPlan};
use crate::progress::reporter::Reporter;
use crate::runner::context::RunnerContext;
use crate::runner::event_file;

pub use prepare::{prepare, prepare_builder};

use builder::{Builder, Ending};
use decide::{Decision, Target, decide, look_first};
use early::Early;
use emulation::Registration;
use gather::CacheQuestion;
use preflight::Preflight;
use record::Record;

/// What a run needs of its process: read once, by `main`. Clones are the same process.
#[derive(Clone)]
pub struct Process {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The terminal.
    pub reporter: Reporter,
    /// The path of this program, in the container.
    pub program: std::path::PathBuf,
    /// The time, in seconds since 1970.
    pub now: fn() -> i64,
    /// Random bytes.
    pub random: fn() -> [u8; 32],
    /// Set when a signal asks to stop.
    pub stop: watch::Receiver<Option<Stop>>,
}

impl Process {
    /// 128 random bits.
    fn random_u128(&self) -> u128 {
        let bytes = (self.random)();
        bytes[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }

    /// Proxies, and who is believed.
    fn network(&self) -> Network {
        Network::from_variables(&self.variables)
    }

    /// GitHub's cache service, when the runner names it.
    fn github_cache(&self) -> Option<GithubCache> {
        let get =
            |name: &str| self.variables.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let (url, token) = (get("ACTIONS_RESULTS_URL")?, get("ACTIONS_RUNTIME_TOKEN")?);
        Some(GithubCache { url: url.to_owned(), token: Secret::new(token) })
    }

    /// Ready when a signal came.
    async fn stopped(&self) -> Stop {
        let mut stop = self.stop.clone();
        loop {
            if let Some(signal) = *stop.borrow_and_update() {
                return signal;
            }
            if stop.changed().await.is_err() {
                // Nobody can ask any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// One run of the action: from the runner's variables to the exit code.
pub async fn run(process: &Process) -> u8 {
    for secret in secrets_to_mask(&process.variables) {
        process.reporter.mask(secret.expose());
    }
    let mut record = Record::default();
    let mut ending = Ending::default();
    let result = tokio::select! {
        result = carry_out(process, &mut record, &mut ending) => result,
        // The build hears of it itself and ends in order; everything else just ends.
        stop = patience_after_stop(process) => Err(RunError::Stopped(stop)),
    };
    let result = match (result, *process.stop.borrow()) {
        (Err(_), Some(stop)) => Err(RunError::Stopped(stop)),
        (result, _) => result,
    };
    report::finish(process, &mut record, &result);
    ending.join().await;
    result.map_or_else(|error| error.exit_code(), |()| 0)
}

/// Time for the solve to be cancelled and helpers to be removed; the runner waits 7.5 s.
async fn patience_after_stop(process: &Process) -> Stop {
    let stop = process.stopped().await;
    process.reporter.info(&format!("{stop}: cancelling"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    stop
}

async fn carry_out(process: &Process, record: &mut Record, ending: &mut Ending) -> Result<(), RunError> {
    let started = tokio::time::Instant::now();
    let mut context = read_context(process)?;
    record.context = Some(context.clone());
    let config = read_config(process, &context)?;
    record.config = Some(config.clone());
    let address = Address::from_docker_host(process.variables.get("DOCKER_HOST").map_or("", String::as_str))?;
    if config.mode == Mode::Merge {
        return Box::pin(legs::merge(process, config, &context, &address, record)).await;
    }
    let mut question = CacheQuestion::ask(process, &config, &context);
    let (tell, found) = oneshot::channel();
    let known = context.clone();
    let mut early = Early::new(process, &config, &known, address.path(), found);
    // An image that is there needs no cache.
    let may_be_there = plan::promote::may_need_no_build(&config, &context);
    let facts = async {
        tokio::join!(
            decide(process, &config, &known, &address),
            gather::surroundings(process, &config, &address, tell),
            async { if may_be_there { None } else { question.trouble().await } }
        )
    };
    let (decided, facts, trouble) = tokio::select! {
        facts = facts => facts,
        never = early.drive() => match never {},
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    let (metadata, own, mut preflight, refused) = match decided? {
        Decision::Nothing(why) => {
            record.nothing = Some(why);
            return Ok(());
        }
        Decision::Build(target) => {
            let Target { metadata, own, preflight, refused } = *target;
            (metadata, own, preflight, refused)
        }
    };
    note(&mut context, trouble);
    // From here on nobody has to know which login was exchanged for and which was given.
    let config = login::with_logins(&config, own.iter().chain(&facts.logins?)).without(&refused);
    record.config = Some(config.clone());
    let builders = facts.builders?;
    let make = |context: &RunnerContext| {
        let plan = plan::plan_run(&config, context, &builders.facts(), &metadata, &facts.dockerfile)?;
        let violations = plan::check::violations(&plan, &config);
        if violations.is_empty() { Ok(plan) } else { Err(RunError::Contradiction(violations)) }
    };
    let mut plan = make(&context)?;
    process.reporter.phase("facts and plan", started.elapsed());
    record.plan = Some(plan.clone());
    if config.dry_run {
        let outlook = tokio::select! {
            outlook = Box::pin(foresee::foresee(process, &config, &context, &plan, &address)) => outlook,
            stop = process.stopped() => return Err(RunError::Stopped(stop)),
        };
        show(process, &plan, outlook.as_ref());
        record.dry_run = true;
        return Ok(());
    }
    show(process, &plan, None);
    let published = tokio::select! {
        published = Box::pin(look_first(process, &config, &context, &plan, &own, preflight.as_mut(), record)) => published?,
        never = early.drive() => match never {},
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    if published {
        return Ok(());
    }
    let trouble = tokio::select! {
        trouble = question.trouble() => trouble,
        never = early.drive() => match never {},
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    if note(&mut context, trouble) {
        let first = std::mem::replace(&mut plan, make(&context)?);
        for warning in plan.warnings.iter().filter(|warning| !first.warnings.contains(warning)) {
            process.reporter.warn(warning);
        }
        record.plan = Some(plan.clone());
    }
    let ready = async {
        login::create_repositories(process, &config, &plan, &own).await?;
        Box::pin(Builder::open(process, &config, &context, address.path(), builders, Some(early), &plan))
            .await
    };
    let builder = tokio::select! {
        builder = ready => builder?,
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    let order = Order { config: &config, context: &context, address: &address, plan: &plan };
    Box::pin(build_and_publish(process, order, builder, preflight, record, ending)).await
}

/// Takes it to the facts; whether there is any.
fn note(context: &mut RunnerContext, trouble: Option<CacheTrouble>) -> bool {
    let Some(trouble) = trouble else { return false };
    context.cache.lasting = trouble.lasting;
    context.cache.trouble = Some(trouble.why);
    true
}

/// What is to be built, and with what.
#[derive(Clone, Copy)]
struct Order<'a> {
    config: &'a Config,
    context: &'a RunnerContext,
    address: &'a Address,
    plan: &'a RunPlan,
}

async fn build_and_publish(
    process: &Process,
    order: Order<'_>,
    builder: Builder,
    mut preflight: Option<Preflight>,
    record: &mut Record,
    ending: &mut Ending,
) -> Result<(), RunError> {
    let Order { config, context, address, plan } = order;
    let building = async {
        let registration = Registration::of(config, context, builder.container_name());
        emulation::register(process, address.path(), &plan.emulation.platforms, &registration).await?;
        Box::pin(build::build_and_reach(process, config, &builder, plan, preflight.as_mut(), record)).await
    };
    let (mut built, ()) = tokio::join!(building, builder.reap());
    let mut builder = builder;
    if let Err(RunError::Build(error)) = &built
        && error.is_stalled()
    {
        let anew = builder.is_renewable();
        let who = if anew { ", by a builder made anew" } else { "" };
        process.reporter.warn(&build::without_cache(error, who));
        let mut without = plan.clone();
        without.build.cache_from.clear();
        if anew {
            builder = tokio::select! {
                renewed = builder.renew(process, config, context, address.path(), &without) => renewed?,
                stop = process.stopped() => return Err(RunError::Stopped(stop)),
            };
        } else {
            // BuildKit cannot let go of what it waits for, and who asks it to waits too: a step that would use it runs
            // again, if it runs any.
            without.build.no_cache = true;
            builder.nodes.iter_mut().for_each(|node| node.held_up = true);
        }
        let building =
            build::build_and_reach(process, config, &builder, &without, preflight.as_mut(), record);
        built = Box::pin(building).await;
    }
    let built = match built {
        Err(error) => Err(builder.explain(error).await),
        built => built,
    };
    // Nothing but a cache keeps it from going while tags are put.
    let builder = if built.is_ok() && !plan.cache.to.is_empty() {
        Some(builder)
    } else {
        *ending = builder.close().await;
        None
    };
    if let Some(preflight) = preflight.filter(|_| matches!(built, Ok(true))) {
        let verdict = preflight.verdict(process).await?;
        let published = match &plan.part {
            Part::Leg(leg) => Box::pin(legs::record(process, config, plan, leg, &verdict, record)).await,
            _ => publish::publish(process, config, context, plan, &verdict, record).await,
        };
        verdict.close();
        if published.is_err()
            && let Some(builder) = builder
        {
            *ending = builder.close().await;
            return published;
        }
        published?;
    }
    built?;
    let Some(builder) = builder else { return Ok(()) };
    // Whatever ends the run from here on, what was published is known.
    outputs::write(process, record, true);
    let written = export::export(process, config, &builder, plan, record).await;
    *ending = builder.close().await;
    written
}

fn read_context(process: &Process) -> Result<RunnerContext, RunError> {
    let payload = event_file::read(&process.variables)?;
    Ok(RunnerContext::read(&process.variables, &payload)?)
}

fn read_config(process: &Process, context: &RunnerContext) -> Result<Config, RunError> {
    let raw = RawInputs::read(&process.variables);
    let (config, notices) = Config::resolve(raw, context).map_err(RunError::Inputs)?;
    // Contents of files, before anything can be printed that was made of them.
    for secret in mask::of_config(&config, &process.variables) {
        process.reporter.mask(secret.expose());
    }
    for notice in notices {
        match notice.level {
            Level::Debug => process.reporter.debug(&notice.message),
            Level::Notice => process.reporter.notice(&notice.message),
            Level::Warning => process.reporter.warn(&notice.message),
        }
    }
    Ok(config)
}

/// A run and its attempt, for labels.
fn run_of(context: &RunnerContext) -> String {
    format!("{}-{}", context.run.id, context.run.attempt)
}

fn show(process: &Process, plan: &RunPlan, outlook: Option<&Outlook>) {
    let text = match outlook {
        Some(outlook) => plan::display::foretell(plan, outlook),
        None => plan::display::render(plan),
    };
    process.reporter.group(&plan::display::title(plan), &text);
    for warning in &plan.warnings {
        process.reporter.warn(warning);
    }
}
