//! From what was asked and what is, to how the Dockerfile is checked. Pure, as `planner` is for a run that makes an image.

use super::builder::{Needs, plan_builder, plan_checker};
use super::check::lint_violations;
use super::error::PlanError;
use super::facts::Facts;
use super::lint::LintPlan;
use super::planner::definition;
use super::remote::{self, TokenSecrets};
use crate::inputs::config::Config;
use crate::runner::context::RunnerContext;

/// Plans a check.
///
/// # Errors
/// When nobody can check it, and when the plan breaks a rule that every such plan keeps.
pub fn plan_lint(config: &Config, context: &RunnerContext, facts: &Facts) -> Result<LintPlan, PlanError> {
    if config.platforms.is_empty() {
        return Err(PlanError::NoPlatform);
    }
    let needs = Needs {
        pushes: false,
        writes: &[],
        platforms: config.built_platforms(),
        entitlements: &[],
        cache_to: &[],
    };
    let builder = plan_builder(config.into(), context, &needs, &facts.builders)?;
    let otherwise = plan_checker(config.into(), context, &needs, &facts.builders, &builder);
    let TokenSecrets { ids: token_secrets, withheld } = remote::token_secrets(config, context);
    let plan = LintPlan {
        build: definition(config, context, facts, token_secrets),
        builder,
        otherwise,
        level: config.check_level,
        occasion: facts.metadata.occasion.clone(),
        revision: facts.metadata.revision.clone(),
        notices: withheld.into_iter().collect(),
    };
    match lint_violations(&plan, config) {
        broken if broken.is_empty() => Ok(plan),
        broken => Err(PlanError::Contradiction(broken)),
    }
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
