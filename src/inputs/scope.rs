//! The namespace of the build cache: `{atomi_platform}-{atomi_service}-{image_name}`, each part a slug.

use super::fault::{InputFault, shown};

/// The cache's scope. A part that has no character to keep is a fault of its input.
pub(super) fn cache_scope(parts: [(&str, &str); 3]) -> Result<String, InputFault> {
    let mut slugs = Vec::new();
    for (input, text) in parts {
        super::parse::line(input, text)?;
        let slug = slug(text).ok_or_else(|| {
            InputFault::new(
                input,
                format!("`{}` has no letter or digit to name the build cache by", shown(text)),
            )
            .hint("use some of `a-z`, `0-9`, `.`, `_` and `-`")
        })?;
        slugs.push(slug);
    }
    Ok(slugs.join("-"))
}

/// As tags have it: lower case, every run of characters outside `[a-z0-9._-]` one `-`, at most 63 characters,
/// no leading `-` or `.`, no trailing `-`.
pub(super) fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    let mut in_run = false;
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        let kept = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if kept || !in_run {
            slug.push(if kept { c } else { '-' });
        }
        in_run = !kept;
    }
    let cut: String = slug.trim_start_matches('-').chars().take(63).collect();
    let slug = cut.trim_end_matches('-').trim_start_matches(['.', '-']);
    if slug.is_empty() { None } else { Some(slug.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let scope = |platform, service, image| {
            cache_scope([("atomi_platform", platform), ("atomi_service", service), ("image_name", image)])
        };
        assert_eq!(scope("Acme", "Shop", "api").unwrap(), "acme-shop-api");
        assert_eq!(scope("acme inc.", "web/shop", "tools/API").unwrap(), "acme-inc.-web-shop-tools-api");
        assert_eq!(scope("acme\ninc", "shop", "api").unwrap_err().input, "atomi_platform");
        assert_eq!(scope("acme", "🚀", "api").unwrap_err().input, "atomi_service");
    }
}
