//! Publishing that is killed at any point, and publishing through a registry that fails one request in five: whatever
//! happens, a tag is old or new, and the next run completes what was begun.

use crate::job::parts;
use crate::retry::{begun, job, published};
use crate::runner::fault_proxy::chance::Chance;
use crate::runner::fault_proxy::{Act, FaultProxy, Kind, Request};
use crate::runner::wait::until;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

fn soak() -> bool {
    std::env::var_os("SOAK").is_some()
}

/// When the process is killed: at this request of those that count, before the registry hears of it or after it did.
#[derive(Clone, Copy, Debug)]
struct Point {
    request: usize,
    after: bool,
}

/// Who gets killed, as soon as it is known.
#[derive(Clone, Default)]
struct Victim(Arc<AtomicU32>);

impl Victim {
    fn kill(&self) {
        assert!(until(|| self.0.load(Ordering::SeqCst) != 0), "nobody was started");
        let pid = self.0.load(Ordering::SeqCst).to_string();
        let _ = Command::new("kill").args(["-KILL", &pid]).status();
    }
}

/// Kills at one point, once.
fn killer(
    point: Point,
    victim: Victim,
    done: Arc<AtomicBool>,
) -> impl FnMut(&Request) -> Act + Send + 'static {
    let mut counted = 0;
    move |request| {
        // All of our own, and what of the daemon's makes an image. The rest of it on demand.
        if !request.is_ours() && request.kind != Kind::PutManifest && !soak() {
            return Act::Pass;
        }
        counted += 1;
        if counted - 1 != point.request {
            return Act::Pass;
        }
        done.store(true, Ordering::SeqCst);
        let victim = victim.clone();
        if point.after {
            return Act::Then(Box::new(move || victim.kill()));
        }
        victim.kill();
        Act::Reset
    }
}

#[test]
fn killed_anywhere_tags_are_old_or_new_and_a_rerun_completes() {
    let registry = parts().open_registry();
    let mut points = 0;
    'points: for request in 0.. {
        for after in [false, true] {
            let (victim, done) = (Victim::default(), Arc::new(AtomicBool::new(false)));
            let script = killer(Point { request, after }, victim.clone(), Arc::clone(&done));
            let proxy = FaultProxy::new(&parts().registry, script);
            let job = job(&format!("killed-{request}-{after}"), &proxy);
            let repository = job.repository();
            for tag in ["main", "latest"] {
                let to = format!("{}/{repository}:{tag}", parts().registry);
                let copied = Command::new("crane").args(["copy", "--insecure", &parts().base, &to]).output();
                assert!(copied.unwrap().status.success());
            }
            let old = registry.manifest(&repository, "main").unwrap().digest;
            let running = job.native().start();
            victim.0.store(running.process(), Ordering::SeqCst);
            let result = running.wait();
            if !done.load(Ordering::SeqCst) {
                assert!(result.success, "{}", result.log());
                break 'points;
            }
            points += 1;
            assert_eq!(result.exit_code, None, "{request} {after}: it was killed\n{}", result.log());
            // A registry lists a tag before it is on anything: what was sent to it is still being carried out.
            let on = |tag: &str| registry.manifest(&repository, tag).map(|there| there.digest);
            let found: Vec<(String, String)> = job
                .tags()
                .into_iter()
                .map(|tag| {
                    assert!(until(|| on(&tag).is_some()), "{request} {after}: `{tag}` is a tag of nothing");
                    (tag.clone(), on(&tag).expect("it was there"))
                })
                .collect();
            proxy.mend();
            let again = job.native().run();
            assert!(again.success, "{request} {after}: {}", again.log());
            let new = &again.outputs["digest"];
            for (tag, digest) in &found {
                assert!(
                    digest == new || *digest == old,
                    "{request} {after}: `{tag}` is {digest}, neither {old} nor {new}"
                );
            }
            let planned: Vec<&str> = again.outputs["tag_names"].lines().collect();
            assert_eq!(job.tags().len(), planned.len(), "{request} {after}");
            for tag in planned {
                assert_eq!(
                    registry.manifest(&repository, tag).unwrap().digest,
                    *new,
                    "{request} {after}: `{tag}`"
                );
            }
        }
    }
    // The manifest, a look at it, three tags, its config: each before and after.
    assert!(points >= 12, "{points} points");
}

#[test]
fn one_request_in_five_fails_and_every_publish_succeeds() {
    eprintln!("{}", every_publish_succeeds("one-in-five", |seed| Chance::new(seed, 20)));
}

/// Some so long that BuildKit's own pusher gives up, and ours has to push again.
#[test]
fn outages_come_and_go_and_every_publish_succeeds() {
    let outages = |seed| Chance::in_outages(seed, 5, Duration::from_secs(10));
    eprintln!("{}", every_publish_succeeds("outages", outages));
}

/// What was seen, for whoever reads the test's output.
fn every_publish_succeeds(name: &str, chance: fn(u64) -> Chance) -> String {
    let least = if soak() { 100 } else { 5 };
    let (mut all, mut spoiled, mut ours, mut again) = (0, 0, 0, 0);
    let mut rounds = 0;
    // What a seed spoils depends on whose request comes first: some rounds more, until each side has had its share.
    while rounds < least || (ours < least && rounds < 4 * least) {
        let mut dice = chance(rounds as u64);
        let proxy = FaultProxy::new(&parts().registry, move |request| dice.act(request));
        let job = job(&format!("{name}-{rounds}"), &proxy);
        let mut running = job.native().start();
        running.ends_within(Duration::from_mins(10));
        let result = running.wait();
        assert!(result.success, "seed {rounds}: {}", result.log());
        published(&job, &result);
        let seen = proxy.seen();
        all += seen.len();
        spoiled += proxy.spoiled();
        ours += seen.iter().filter(|seen| seen.spoiled && seen.request.is_ours()).count();
        again += usize::from(result.log().contains("pushed on attempt "));
        rounds += 1;
    }
    let begun = begun();
    assert!(begun.len() >= rounds, "{begun:?}");
    let twice: Vec<_> = begun.into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "build steps that ran again: {twice:?}");
    assert!(ours >= least, "{ours} of our own requests were spoiled, {spoiled} of all");
    let share = spoiled * 100 / all;
    format!(
        "{name}: {rounds} publishes, {spoiled} of {all} requests spoiled ({share} %), {ours} of them ours, {again} pushed \
         again by us"
    )
}
