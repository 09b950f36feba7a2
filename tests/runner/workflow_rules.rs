//! What one job of a workflow hands to another, and which jobs run.

use crate::runner::workflow::{Runner, Texts, Workflow};
use std::cell::RefCell;
use std::path::Path;

/// An action that says what it was given, and goes wrong when told so.
#[derive(Default)]
struct Echo(RefCell<Vec<String>>);

impl Runner for Echo {
    fn github(&self, key: &str) -> String {
        format!("<{key}>")
    }

    fn uses(&self, action: &str, with: Texts, _: Texts) -> (bool, Texts, String) {
        self.0.borrow_mut().push(format!("{action} {with:?}"));
        (action != "wrong", with, action.to_owned())
    }

    fn workspace(&self) -> &Path {
        Path::new("/")
    }
}

const WORKFLOW: &str = "
jobs:
  build:
    outputs: { image: '${{ steps.one.outputs.name }}@${{ github.sha }}', none: '${{ steps.two.outputs.name }}' }
    steps:
      - { uses: make, id: one, with: { name: box } }
      - run: test \"$NAME\" = box && pwd
        env: { NAME: '${{ steps.one.outputs.name }}' }
  scan:
    needs: build
    if: needs.build.outputs.image != ''
    steps: [{ uses: scan, with: { of: '${{ needs.build.outputs.image }}' } }]
  skipped:
    needs: build
    if: needs.build.outputs.none != ''
    steps: [{ uses: never }]
  after: { needs: [build, skipped], steps: [{ uses: never }] }
  fails:
    needs: [scan]
    steps: [{ uses: wrong }, { uses: never }]
  last: { needs: fails, steps: [{ uses: never }] }
";

#[test]
fn jobs_hand_on_what_they_say_and_end_with_what_they_need() {
    let echo = Echo::default();
    let ran = Workflow::parse(WORKFLOW).run(&echo);
    let ended: Vec<(&str, bool)> = ran.jobs.iter().map(|(job, good)| (job.as_str(), *good)).collect();
    assert_eq!(ended, [("build", true), ("scan", true), ("fails", false)]);
    assert_eq!(echo.0.into_inner(), [r#"make {"name": "box"}"#, r#"scan {"of": "box@<sha>"}"#, "wrong {}"]);
    assert_eq!(ran.log, "make\n/\n\nscan\nwrong\n");
    assert!(!ran.all(3));
}

#[test]
#[should_panic(expected = "is written into a script")]
fn no_value_is_written_into_a_script() {
    Workflow::parse("jobs: { a: { steps: [{ run: 'echo ${{ github.sha }}' }] } }").run(&Echo::default());
}
