//! `type=registry,ref=acme/api:cache,"tags=a,b"`: the one grammar of attributes, as buildx reads it.
//!
//! One record of Go's `encoding/csv`: fields by commas, a field in double quotes may hold commas, and `""` in it is
//! a quote. Each field is `key=value`; keys are lower-cased and come once. Faults name the field by its number or
//! its key, never by its value: that may be a token.

use std::collections::BTreeMap;

use super::text;

/// Attributes by their keys.
pub type Attrs = BTreeMap<String, String>;

/// The text is no list of attributes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAttrs {
    /// A field without `=`.
    #[error("field {0} has no `=`")]
    NoValue(usize),
    /// A field that starts with `=`.
    #[error("field {0} has nothing before its `=`")]
    NoKey(usize),
    /// A key that comes again.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A quote in a field that did not start with one, or something after the closing one.
    #[error("field {0} has a `\"` in the middle; put the whole field in quotes and write `\"\"` for a quote")]
    StrayQuote(usize),
    /// A quoted field without its end.
    #[error("field {0} starts with a `\"` and has no closing one")]
    OpenQuote(usize),
}

/// Reads `key=value` fields.
///
/// # Errors
/// Any field that is none.
pub fn parse(text: &str) -> Result<Attrs, InvalidAttrs> {
    parse_fields(&fields(text)?, 0)
}

/// Reads a first field without `=` (`tcp://host:1234`, `user/app:cache`), then `key=value` fields.
///
/// # Errors
/// Any field but the first that is no `key=value`.
pub fn parse_after_bare(text: &str) -> Result<(Option<String>, Attrs), InvalidAttrs> {
    let mut fields = fields(text)?;
    if fields.first().is_some_and(|first| !first.contains('=')) {
        let first = fields.remove(0);
        return Ok((Some(first), parse_fields(&fields, 1)?));
    }
    Ok((None, parse_fields(&fields, 0)?))
}

/// The text that [`parse`] reads as these attributes, in the order of their keys.
pub fn render(attrs: &Attrs) -> String {
    let field = |(key, value): (&String, &String)| {
        let pair = format!("{key}={value}");
        if pair.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", pair.replace('"', "\"\""))
        } else {
            pair
        }
    };
    attrs.iter().map(field).collect::<Vec<_>>().join(",")
}

fn parse_fields(fields: &[String], before: usize) -> Result<Attrs, InvalidAttrs> {
    let mut attrs = Attrs::new();
    for (index, field) in fields.iter().enumerate() {
        let number = before + index + 1;
        let (key, value) = field.split_once('=').ok_or(InvalidAttrs::NoValue(number))?;
        let key = key.trim().to_ascii_lowercase();
        if key.is_empty() {
            return Err(InvalidAttrs::NoKey(number));
        }
        // Only what looks like a key is shown.
        let shown = text::name(&key);
        if attrs.insert(key, value.to_owned()).is_some() {
            return Err(InvalidAttrs::Twice(shown));
        }
    }
    Ok(attrs)
}

/// The fields of one record.
fn fields(text: &str) -> Result<Vec<String>, InvalidAttrs> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let number = fields.len() + 1;
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_field(quoted, number)?
        } else {
            let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            if field.contains('"') {
                return Err(InvalidAttrs::StrayQuote(number));
            }
            (field.to_owned(), after)
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err(InvalidAttrs::StrayQuote(number)),
        }
    }
}

/// A field after its opening quote, and what follows the closing one.
fn quoted_field(text: &str, number: usize) -> Result<(String, &str), InvalidAttrs> {
    let (mut field, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"').ok_or(InvalidAttrs::OpenQuote(number))?;
        field.push_str(part);
        let Some(more) = after.strip_prefix('"') else { return Ok((field, after)) };
        field.push('"');
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attrs(pairs: &[(&str, &str)]) -> Attrs {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn as_buildx_reads_them() {
        for (text, expected) in [
            ("type=gha", &[("type", "gha")][..]),
            ("Type=registry,REF=a/b:c", &[("type", "registry"), ("ref", "a/b:c")]),
            ("a=1,\"b=x,y\",c=", &[("a", "1"), ("b", "x,y"), ("c", "")]),
            ("\"a=say \"\"hi\"\"\"", &[("a", "say \"hi\"")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=1, b=2 ", &[("a", "1"), ("b", "2 ")]),
            ("\"a=1\nb\"", &[("a", "1\nb")]),
        ] {
            assert_eq!(parse(text), Ok(attrs(expected)), "{text}");
        }
        for (text, expected) in [
            ("", InvalidAttrs::NoValue(1)),
            ("a", InvalidAttrs::NoValue(1)),
            ("a=1,", InvalidAttrs::NoValue(2)),
            ("a=1,b", InvalidAttrs::NoValue(2)),
            ("=1", InvalidAttrs::NoKey(1)),
            ("a=1,A=2", InvalidAttrs::Twice("a".into())),
            ("a=\"x,y\"", InvalidAttrs::StrayQuote(1)),
            ("a=1,\"b=2\"3", InvalidAttrs::StrayQuote(2)),
            ("a=1,\"b=2", InvalidAttrs::OpenQuote(2)),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_first_field_may_be_bare() {
        assert_eq!(
            parse_after_bare("tcp://b:1234,cacert=ca.pem"),
            Ok((Some("tcp://b:1234".into()), attrs(&[("cacert", "ca.pem")])))
        );
        assert_eq!(parse_after_bare("type=gha"), Ok((None, attrs(&[("type", "gha")]))));
        assert_eq!(parse_after_bare("a,b"), Err(InvalidAttrs::NoValue(2)));
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back(attrs in prop::collection::btree_map("[a-z][a-z_-]{0,5}", "(?s).{0,12}", 1..5)) {
            prop_assert_eq!(parse(&render(&attrs)), Ok(attrs));
        }

        #[test]
        fn faults_hold_no_value(text in "[ab=,\"]{0,12}", secret in "[A-Z]{8}") {
            let text = format!("k={text}{secret}");
            if let Err(error) = parse(&text) {
                prop_assert!(!error.to_string().contains(&secret));
            }
        }
    }
}
