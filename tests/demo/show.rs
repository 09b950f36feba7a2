//! How the demonstration looks: the log as GitHub's page draws it, the summary, the outputs, the registry.

use crate::runner::registry::Registry;
use crate::runner::step::StepResult;

/// A heading.
pub fn title(text: &str) {
    println!("\n=== {text} {}", "=".repeat(100_usize.saturating_sub(text.len())));
}

/// Everything that one step left.
pub fn result(result: &StepResult) {
    log(&result.log_lines);
    let ended = match result.exit_code {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    println!("--- {ended} after {:.2} s, container included", result.duration.as_secs_f64());
    if !result.annotations.is_empty() {
        println!("--- annotations");
        for note in &result.annotations {
            let place = match (&note.file, note.line) {
                (Some(file), Some(line)) => format!(" {file}:{line}"),
                (Some(file), None) => format!(" {file}"),
                _ => String::new(),
            };
            println!("{:?}{place}: {}", note.level, note.message);
        }
    }
    if !result.outputs.is_empty() {
        println!("--- outputs");
    }
    for (name, value) in &result.outputs {
        if value.contains('\n') {
            println!("{name}:");
            value.lines().for_each(|line| println!("    {line}"));
        } else {
            println!("{name}: {}", shortened(value));
        }
    }
    if !result.summary.is_empty() {
        println!("--- summary (Markdown)\n{}", result.summary.trim_end());
    }
}

/// The beginning of what is for programs.
fn shortened(value: &str) -> String {
    let length = value.chars().count();
    if length <= 160 {
        return value.to_owned();
    }
    let beginning: String = value.chars().take(100).collect();
    format!("{beginning}… ({length} characters)")
}

/// The log with its groups opened: a group's lines are indented until it ends or the next one begins.
fn log(lines: &[String]) {
    let mut indent = "";
    for line in lines {
        if let Some(name) = line.strip_prefix("##[group]") {
            println!("▾ {name}");
            indent = "    ";
        } else if line.starts_with("##[endgroup]") {
            indent = "";
        } else {
            let mut shown = line.clone();
            for (marker, word) in [
                ("##[error]", "Error: "),
                ("##[warning]", "Warning: "),
                ("##[notice]", "Notice: "),
                ("##[debug]", "##[debug]"),
            ] {
                if let Some(rest) = line.strip_prefix(marker) {
                    shown = format!("{word}{rest}");
                }
            }
            println!("{indent}{shown}");
        }
    }
}

/// The tags of a repository with their digests, sizes and platforms.
pub fn registry(registry: &Registry, repository: &str) {
    for tag in registry.tags(repository) {
        let manifest = registry.manifest(repository, &tag).expect("a tag that was just listed");
        println!(
            "{repository}:{tag}\n    {} ({} bytes, {})",
            manifest.digest, manifest.size, manifest.media_type
        );
        for (name, platform) in registry.platforms(repository, &tag) {
            let layers = platform.manifest["layers"].as_array().map_or(0, Vec::len);
            println!("    {name}: {} ({layers} layers)", platform.digest);
        }
    }
}
