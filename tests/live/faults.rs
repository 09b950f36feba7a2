//! Connections that break and runs that meet: a clear end every time, and a re-run that completes what was begun.

use crate::builder::{goes_with_its_step, not_here};
use crate::job::{DOCKERFILE, Job, parts};
use crate::runner::log::Level;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A way to the open registry that carries a number of bytes and then breaks every connection, old and new.
struct Way {
    host: String,
    left: Arc<AtomicU64>,
}

impl Way {
    fn with(bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let left = Arc::new(AtomicU64::new(bytes));
        let budget = Arc::clone(&left);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if budget.load(Ordering::SeqCst) == 0 {
                    continue;
                }
                let far = TcpStream::connect(&parts().registry).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let budget = Arc::clone(&budget);
                    std::thread::spawn(move || carry(from, to, &budget));
                }
            }
        });
        Self { host, left }
    }

    fn mend(&self) {
        self.left.store(u64::MAX, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, budget: &AtomicU64) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let taken = budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            (left > 0).then(|| left.saturating_sub(count as u64))
        });
        if taken.is_err() || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_broken_push_is_an_error_and_a_rerun_completes_it() {
    let budgets: Vec<u64> = if std::env::var_os("SOAK").is_some() {
        (0..60).map(|step| 300 * step * step).collect()
    } else {
        vec![0, 4000, 20_000]
    };
    let mut broken = 0;
    for budget in budgets {
        let way = Way::with(budget);
        let job =
            Job::new(&format!("broken-{budget}"), &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")])
                .input("registry", &way.host)
                .input("platform", "linux/amd64")
                // Nothing mends until the run has ended.
                .input("retries", "0");
        let result = job.run();
        assert!(!result.log().contains("panicked"), "{}", result.log());
        if !result.success {
            broken += 1;
            let errors = result.of(Level::Error);
            assert!(!errors.is_empty(), "{budget}: {}", result.log());
            assert!(result.errors().contains(&way.host), "{budget}: who failed? {}", result.errors());
            assert_eq!(result.outputs["pushed"], "false");
        }
        // Whatever was put names an image that is there.
        for tag in job.tags() {
            assert!(parts().open_registry().manifest(&job.repository(), &tag).is_some(), "{tag}");
        }
        way.mend();
        let again = job.run();
        assert!(again.success, "{budget}: {}", again.log());
        assert_eq!(job.tags().len(), 3);
    }
    assert!(broken >= 2, "{broken} runs were broken");
}

#[test]
fn two_runs_of_one_commit_do_not_disturb_each_other() {
    if goes_with_its_step() {
        return not_here("each step has a builder of its own, which has built nothing before");
    }
    let rounds = if std::env::var_os("SOAK").is_some() { 25 } else { 2 };
    // What provenance says of times would differ.
    let job = Job::usual("twice").input("provenance", "false");
    for _ in 0..rounds {
        let running: Vec<_> = (0..2).map(|_| job.step().start()).collect();
        let digests: Vec<String> = running
            .into_iter()
            .map(|step| {
                let result = step.wait();
                // Of two who put one manifest in the same moment distribution may tell one that what the other is still
                // putting is not there: a 400, which nobody tries again. A re-run completes it.
                let said = result.errors();
                let crossed = said.contains("/manifests/") && said.contains(": 400 Bad Request");
                let result = if crossed { job.step().run() } else { result };
                assert!(result.success, "{}", result.log());
                result.outputs["digest"].clone()
            })
            .collect();
        assert_eq!(digests[0], digests[1]);
        assert_eq!(parts().open_registry().manifest(&job.repository(), "main").unwrap().digest, digests[0]);
        assert_eq!(job.tags().len(), 3);
    }
}
