//! Names in `with:` that are no inputs: what was meant?
//!
//! Docker's own spelling and near misses name the right input.

use super::fault::{InputFault, shown};
use super::input::Input;
use super::table::INPUTS;

/// Inputs that the runner takes for itself in every docker action.
const RUNNERS_OWN: &[&str] = &["args", "entrypoint"];

/// The input of this name (lower case), if there is one.
pub(super) fn known(name: &str) -> Option<&'static Input> {
    INPUTS.iter().find(|input| input.name == name)
}

/// What is wrong with the name of an input, as the runner hands it over: lower-cased, dashes kept.
pub(super) fn check(name: &str) -> Result<(), InputFault> {
    if name.is_empty() || RUNNERS_OWN.contains(&name) || known(name).is_some() {
        return Ok(());
    }
    let underscored = name.replace(['-', '.', ' '], "_");
    let fault = |message: &str| Err(InputFault::new(shown(name), message));
    let meant = known(&underscored)
        .or_else(|| INPUTS.iter().find(|input| input.misspelt.contains(&underscored.as_str())))
        .or_else(|| nearest(&underscored));
    let hint = meant.map_or_else(
        || {
            let names: Vec<&str> = INPUTS.iter().map(|input| input.name).collect();
            format!("the inputs are {}", names.join(", "))
        },
        |input| format!("did you mean `{}`?", input.name),
    );
    fault("no input of this action").map_err(|fault| fault.hint(hint))
}

/// The input with the fewest edits between, when that is a typing error and not another word.
fn nearest(name: &str) -> Option<&'static Input> {
    if name.len() > 40 {
        return None;
    }
    let scored = INPUTS.iter().map(|input| (distance(name, input.name), input));
    let (edits, input) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits <= 1 + input.name.len() / 5).then_some(input)
}

/// Levenshtein's distance, by bytes.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn did_you_mean() {
        for (name, meant) in [
            ("build-args", "build_args"),
            ("file", "dockerfile"),
            ("platforms", "platform"),
            ("no-cache", "no_cache"),
            ("github-token", "token"),
            ("image-name", "image_name"),
            ("images", "image_name"),
            ("imagename", "image_name"),
            ("plattform", "platform"),
            ("dokerfile", "dockerfile"),
            ("dry-run", "dry_run"),
            ("label", "labels"),
            ("lables", "labels"),
            ("sha-lenght", "sha_length"),
            ("cache-from", "cache_from"),
            ("secret-files", "secret_files"),
            ("buildkitd-config-inline", "buildkitd_config"),
            ("add-hosts", "add_hosts"),
            ("endpoint", "builder"),
            ("shm-size", "shm_size"),
            ("no-cache-filters", "no_cache_filters"),
            ("registry-auth", "registry_auth"),
            ("role-to-assume", "aws_role"),
            ("call", "mode"),
            ("check-level", "check_level"),
        ] {
            let fault = check(name).unwrap_err();
            assert_eq!(fault.hint, Some(format!("did you mean `{meant}`?")), "{name}");
            assert_eq!(fault.input, name);
        }
        for strange in ["frobnicate", "x", "🚀", &"a".repeat(5000)] {
            let fault = check(strange).unwrap_err();
            assert!(fault.hint.unwrap().contains("image_name, dockerfile"), "{strange}");
            assert!(fault.input.len() < 300);
        }
        for fine in ["", "args", "entrypoint", "image_name", "summary"] {
            assert_eq!(check(fine), Ok(()));
        }
    }
}
