//! Titles and texts of pull requests: what is written, with `{{tag}}` and the like for what is known only in the run.

/// What stands in a template for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The image as the environment names it.
    Image,
    /// The repository that it is in.
    Repository,
    /// The tag that is deployed.
    Tag,
    /// The tag that was there before; `nothing` where there was none.
    From,
    /// The digest that is deployed.
    Digest,
    /// The commit of the image; nothing where that is not known.
    Commit,
    /// The page of the run.
    Run,
    /// The title or text that there would be without a template.
    Default,
}

/// The names, as they are written.
const NAMES: &[(&str, Placeholder)] = &[
    ("image", Placeholder::Image),
    ("repository", Placeholder::Repository),
    ("tag", Placeholder::Tag),
    ("from", Placeholder::From),
    ("digest", Placeholder::Digest),
    ("commit", Placeholder::Commit),
    ("run", Placeholder::Run),
    ("default", Placeholder::Default),
];

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

impl Template {
    /// Reads a text. Braces that are not closed are text.
    ///
    /// # Errors
    /// The first name that is no placeholder.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, name, after)) = next(rest) {
            let name = name.trim();
            let found = NAMES.iter().find(|(known, _)| *known == name);
            let (_, placeholder) = found.ok_or_else(|| name.to_owned())?;
            parts.extend([Part::Text(before.to_owned()), Part::Value(*placeholder)]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The text with these values.
    pub fn render(&self, value: impl Fn(Placeholder) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Value(placeholder) => value(*placeholder),
        };
        self.0.iter().map(part).collect()
    }

    /// As it is written, but for blanks in braces.
    pub fn text(&self) -> String {
        self.render(|placeholder| {
            let name = NAMES.iter().find(|(_, known)| *known == placeholder).map_or("", |(name, _)| name);
            format!("{{{{{name}}}}}")
        })
    }
}

/// All placeholders, for a hint.
pub(super) fn names() -> String {
    NAMES.iter().map(|(name, _)| format!("`{{{{{name}}}}}`")).collect::<Vec<_>>().join(", ")
}

/// The text before the next pair of braces, what is in them, and the text behind.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_place_of_names() {
        let value = |placeholder| format!("<{placeholder:?}>");
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("{{tag}}", "<Tag>"),
            ("{{ image }} to {{tag}}{{from}}!", "<Image> to <Tag><From>!"),
            ("{{tag} and {x}", "{{tag} and {x}"),
        ] {
            assert_eq!(Template::parse(text).unwrap().render(value), expected, "{text}");
        }
        assert_eq!(Template::parse("a {{ tag }}").unwrap().text(), "a {{tag}}");
        assert_eq!(Template::parse("{{tags}}"), Err("tags".into()));
    }
}
