//! The namespace of the build cache: `{atomi_platform}-{atomi_service}-{image_name}`, each part a slug.

use super::fault::{InputFault, shown};
use crate::model::slug;

/// Makes the cache's scope of three parts, each with the input that it is of. A part that has no character to keep is a fault
/// of its input.
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
