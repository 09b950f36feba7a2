//! Versions of Python packages, by PEP 440, appendix B, in the normal form that it describes.
//!
//! Numbers have any size: they are kept as digits, without zeros in front.

use std::cmp::Ordering;

/// A version, in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pep440 {
    epoch: String,
    release: Vec<String>,
    /// `a`, `b` or `rc`, and its number.
    pre: Option<(&'static str, String)>,
    post: Option<String>,
    dev: Option<String>,
    local: Vec<String>,
}

impl Pep440 {
    /// Reads a version: a leading `v`, spellings such as `beta` and `-`, any case. No blanks.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let mut rest = Rest(lower.strip_prefix('v').unwrap_or(&lower));
        let first = rest.digits()?;
        let (epoch, first) = if rest.take("!") { (first, rest.digits()?) } else { ("0".to_owned(), first) };
        let mut release = vec![first];
        while let Some(number) = rest.attempt(|rest| if rest.take(".") { rest.digits() } else { None }) {
            release.push(number);
        }
        let pre = rest.attempt(|rest| {
            rest.separator();
            // The longer spelling of two that begin alike goes first.
            let spellings = [
                ("alpha", "a"),
                ("a", "a"),
                ("beta", "b"),
                ("b", "b"),
                ("preview", "rc"),
                ("pre", "rc"),
                ("c", "rc"),
                ("rc", "rc"),
            ];
            let (_, name) = spellings.into_iter().find(|(spelling, _)| rest.take(spelling))?;
            Some((name, rest.number()))
        });
        let post = rest.attempt(|rest| if rest.take("-") { rest.digits() } else { None }).or_else(|| {
            rest.attempt(|rest| {
                rest.separator();
                ["post", "rev", "r"].into_iter().find(|spelling| rest.take(spelling))?;
                Some(rest.number())
            })
        });
        let dev = rest.attempt(|rest| {
            rest.separator();
            if rest.take("dev") { Some(rest.number()) } else { None }
        });
        let mut local = Vec::new();
        if rest.take("+") {
            local.push(rest.word()?);
            while rest.separator() {
                local.push(rest.word()?);
            }
        }
        rest.0.is_empty().then_some(Self { epoch, release, pre, post, dev, local })
    }

    /// The normal form.
    pub fn normal(&self) -> String {
        let mut text = if self.epoch == "0" { String::new() } else { format!("{}!", self.epoch) };
        text.push_str(&self.release.join("."));
        if let Some((name, number)) = &self.pre {
            text.push_str(name);
            text.push_str(number);
        }
        for (name, number) in [(".post", &self.post), (".dev", &self.dev)] {
            if let Some(number) = number {
                text.push_str(name);
                text.push_str(number);
            }
        }
        if !self.local.is_empty() {
            text.push('+');
            text.push_str(&self.local.join("."));
        }
        text
    }

    /// A number of the release, `0` where it has none.
    pub fn release(&self, index: usize) -> &str {
        self.release.get(index).map_or("0", String::as_str)
    }

    /// Whether it is anything but a plain release: a pre-, post- or development release.
    pub fn is_special(&self) -> bool {
        self.pre.is_some() || self.post.is_some() || self.dev.is_some()
    }

    /// What is compared. Local versions are not.
    fn key(&self) -> Key<'_> {
        let zeros = self.release.iter().rev().take_while(|number| *number == "0").count();
        let release = self.release[..self.release.len() - zeros].iter().map(|n| Number(n)).collect();
        let nothing = Number("0");
        let pre = match &self.pre {
            Some((name, number)) => (1, *name, Number(number)),
            // A development release of nothing else comes before all others of the version.
            None if self.post.is_none() && self.dev.is_some() => (0, "", nothing),
            None => (2, "", nothing),
        };
        let post = self.post.as_deref().map_or((0, nothing), |number| (1, Number(number)));
        let dev = self.dev.as_deref().map_or((1, nothing), |number| (0, Number(number)));
        Key { epoch: Number(&self.epoch), release, pre, post, dev }
    }
}

impl PartialOrd for Pep440 {
    /// By PEP 440; versions that differ in their local part only have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.key().cmp(&other.key()) {
            Ordering::Equal if self != other => None,
            order => Some(order),
        }
    }
}

/// The order of releases, part by part. What is there or missing counts before its number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    epoch: Number<'a>,
    release: Vec<Number<'a>>,
    pre: (u8, &'a str, Number<'a>),
    post: (u8, Number<'a>),
    dev: (u8, Number<'a>),
}

/// Digits without zeros in front, as the number that they are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number<'a>(&'a str);

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), self.0).cmp(&(other.0.len(), other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, text: &str) -> bool {
        self.0.strip_prefix(text).map(|rest| self.0 = rest).is_some()
    }

    fn separator(&mut self) -> bool {
        self.take("-") || self.take("_") || self.take(".")
    }

    /// Reads something, or nothing at all.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.0;
        let value = read(self);
        if value.is_none() {
            self.0 = before;
        }
        value
    }

    fn digits(&mut self) -> Option<String> {
        let end = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        (!digits.is_empty()).then(|| plain(digits))
    }

    /// A number that may be missing, after a separator that may be missing.
    fn number(&mut self) -> String {
        self.separator();
        self.digits().unwrap_or_else(|| "0".to_owned())
    }

    /// A part of a local version.
    fn word(&mut self) -> Option<String> {
        let end = self.0.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        (!word.is_empty()).then(|| if digits { plain(word) } else { word.to_owned() })
    }
}

fn plain(digits: &str) -> String {
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normal_forms() {
        for (text, normal, special) in [
            ("1.2.3", "1.2.3", false),
            ("v1.2.3", "1.2.3", false),
            ("V01.02", "1.2", false),
            ("1", "1", false),
            ("20200110", "20200110", false),
            ("1!2.0", "1!2.0", false),
            ("0!2.0", "2.0", false),
            ("1.2.3rc2", "1.2.3rc2", true),
            ("1.2.3beta2", "1.2.3b2", true),
            ("1.2.3-ALPHA", "1.2.3a0", true),
            ("1.0c1", "1.0rc1", true),
            ("1.0.preview_3", "1.0rc3", true),
            ("1.0-pre", "1.0rc0", true),
            ("1.0a.", "1.0a0", true),
            ("1.0a.dev1", "1.0a0.dev1", true),
            ("1.0dev4", "1.0.dev4", true),
            ("1.2.3post1", "1.2.3.post1", true),
            ("1.2-5", "1.2.post5", true),
            ("1.2-r", "1.2.post0", true),
            ("1.2.rev7", "1.2.post7", true),
            ("1a2.post3.dev4+Ab_01", "1a2.post3.dev4+ab.1", true),
            ("1.0+local", "1.0+local", false),
            ("99999999999999999999.1", "99999999999999999999.1", false),
        ] {
            let version = Pep440::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((version.normal().as_str(), version.is_special()), (normal, special), "{text}");
        }
        for bad in [
            "",
            "v",
            "1.",
            "1..2",
            "1.2.x",
            "a1",
            " 1",
            "1 ",
            "1!",
            "1+",
            "1+a..b",
            "1.0rc1x",
            "1.0-",
            "é",
            "1.0.dev1.post1",
        ] {
            assert_eq!(Pep440::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn parts_and_order() {
        let version = |text| Pep440::parse(text).unwrap();
        assert_eq!([0, 1, 2].map(|index| version("1.2").release(index).to_owned()), ["1", "2", "0"]);
        let ascending = [
            "0.9",
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1",
            "1.0a1.post1",
            "1.0b1",
            "1.0rc1",
            "1.0",
            "1.0.post1.dev1",
            "1.0.post1",
            "1.0.1",
            "1.10",
            "2",
            "1!0.1",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert!(version("1.0") <= version("1.0") && version("1.0").partial_cmp(&version("1.0.0")).is_none());
        assert_eq!(version("1.0+a").partial_cmp(&version("1.0+b")), None);
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in r"v?([0-9]{1,3}!)?[0-9]{1,3}(\.[0-9]{1,2}){0,3}([-_.]?(a|beta|rc|pre)[-_.]?[0-9]{0,2})?([-.]?(post|rev)[0-9]{0,2})?(\.?dev[0-9]?)?(\+[a-z0-9]{1,4})?|.*") {
            if let Some(version) = Pep440::parse(&text) {
                let again = Pep440::parse(&version.normal());
                prop_assert_eq!(again, Some(version));
            }
        }
    }
}
