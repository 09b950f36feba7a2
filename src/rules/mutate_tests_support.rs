//! Texts for the parsers that nobody would write, made of lines that people do write.
//!
//! `FUZZ_SECONDS` says for how long each parser is given such texts; without it, it is a moment.

use std::time::{Duration, Instant};

/// Lines of `tags` and `flavor`.
pub(crate) const LINES: &[&str] = &[
    "type=schedule",
    "type=schedule,pattern={{date 'YYYYMMDD-HHmmss' tz='Asia/Tokyo'}}",
    "type=semver,pattern={{version}}",
    "type=semver,pattern={{major}}.{{minor}},enable=false",
    "type=semver, pattern = v{{ raw }} , value = v1.2.3-rc.1+b",
    r"type=semver,pattern={{version}},match=app-v(\d+\.\d+\.\d+(?:-[a-z.0-9]+)?)$",
    "type=pep440,pattern={{version}},value=1!2.0.post1.dev2+ab.1",
    r"type=match,pattern=/v(\d{1,3})\.(?<minor>[0-9]*?)/gi,group=1",
    r#"type=match,"pattern=\d{8},[^a-z\]]+",group=0"#,
    "type=edge,branch=develop",
    "type=ref,event=branch,prefix={{branch}}-,suffix=-{{sha}}",
    "type=ref,event=pr",
    "type=raw,value=latest,enable={{is_default_branch}},priority=201.5",
    "type=raw,value=x-{{commit_date '[week] w, dddd'}}",
    "type=sha,format=long,prefix=",
    "type=default,priority=-1",
    "edge",
    "{{base_ref}}{{tag}}",
    "ghcr.io/acme/api:1.2,ghcr.io/acme/api:{{branch}},enable=true",
    "localhost:5000/acme/api:latest",
    "# type=raw,value=x",
    "",
    "latest=auto",
    "latest = false",
    "prefix=p-,onlatest=true,suffix={{sha}},onlatest=false",
];

/// What is put in, besides single characters.
const TOKENS: &[&str] = &[
    ",",
    "=",
    "\"",
    "\"\"",
    "{{",
    "}}",
    "{{{",
    "}}}",
    "\\{{",
    "'",
    "\n",
    "\r",
    "#",
    " ",
    "\t",
    ":",
    "/",
    "@",
    "-",
    ".",
    "type=",
    "pattern=",
    "value=",
    "match=",
    "enable=",
    "true",
    "false",
    "(",
    ")",
    "(?:",
    "(?=",
    "(?<n>",
    "[",
    "]",
    "[^",
    "{1,}",
    "{999}",
    "{1000,1000}",
    "*",
    "+?",
    "|",
    "^",
    "$",
    "\\d",
    "\\b",
    "\\1",
    "\\u{10ffff}",
    "\\x",
    "\\c",
    "/gi",
    "date '",
    "tz='",
    "YYYY",
    "DDDo",
    "[",
    "version",
    "sha",
    "é",
    "🚀",
    "\u{202e}",
    "\u{0}",
    "\u{1b}[31m",
    "\u{feff}",
    "\u{300}",
    "ﬀ",
    "99999999999999999999",
    "ghcr.io/",
    "::error::",
    "%Y",
    "${{",
    "&amp;",
];

/// Texts without an end.
pub(crate) struct Mutations {
    state: u64,
    corpus: Vec<String>,
    until: Instant,
    begun: Instant,
    pub(crate) count: usize,
    pub(crate) read: usize,
    slowest: (Duration, String),
}

impl Mutations {
    /// Of these texts.
    pub(crate) fn of(corpus: &[&str], seed: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "who runs the tests says how long")]
        let seconds = std::env::var("FUZZ_SECONDS").ok().map(|text| text.parse::<u64>().unwrap());
        let begun = Instant::now();
        let corpus = corpus.iter().map(|text| (*text).to_owned()).collect();
        let until = begun + seconds.map_or(Duration::from_millis(200), Duration::from_secs);
        Self {
            state: seed,
            corpus,
            until,
            begun,
            count: 0,
            read: 0,
            slowest: (Duration::ZERO, String::new()),
        }
    }

    /// A number below this one: xorshift64*.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn one(&mut self) -> String {
        let at = self.below(self.corpus.len());
        self.corpus[at].clone()
    }

    /// The next text, until the time is over.
    pub(crate) fn next(&mut self) -> Option<String> {
        if self.count > 50 && Instant::now() >= self.until {
            return None;
        }
        let mut text: Vec<char> = self.one().chars().collect();
        for _ in 0..=self.below(4) {
            let at = self.below(text.len() + 1);
            let length = self.below(text.len() - at + 1).min(1 + self.below(20));
            match self.below(8) {
                0 | 1 => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    text.splice(at..at, token.chars());
                }
                2 => {
                    text.drain(at..at + length);
                }
                3 => {
                    let piece = text[at..at + length].to_vec();
                    let times = 1 + [1, 3, 40, 400][self.below(4)];
                    if piece.len() * times < 6_000 {
                        text.splice(at..at, piece.repeat(times));
                    }
                }
                4 => {
                    let other: Vec<char> = self.one().chars().collect();
                    let from = self.below(other.len() + 1);
                    text.splice(at.., other[from..].iter().copied());
                }
                5 => {
                    let other = self.one();
                    text.push('\n');
                    text.extend(other.chars());
                }
                6 if at < text.len() => {
                    let number = u32::try_from(self.below(0x11_0000)).unwrap();
                    text[at] = char::from_u32(if self.below(2) == 0 { number % 0x80 } else { number })
                        .unwrap_or('x');
                }
                _ if at < text.len() => {
                    let other = self.below(text.len());
                    text.swap(at, other);
                }
                _ => {}
            }
        }
        text.truncate(8_000);
        self.count += 1;
        Some(text.into_iter().collect())
    }

    /// Takes what could be read among those that others are made of.
    pub(crate) fn keep(&mut self, text: &str) {
        const MOST: usize = 2_000;
        self.read += 1;
        if self.corpus.len() < MOST {
            self.corpus.push(text.to_owned());
        } else if self.below(20) == 0 {
            let at = LINES.len() + self.below(MOST - LINES.len());
            self.corpus[at] = text.to_owned();
        }
    }

    /// How long a text took, which may not be long.
    pub(crate) fn took(&mut self, text: &str, began: Instant) {
        let time = began.elapsed();
        assert!(time < Duration::from_mins(1), "{time:?}: {text:?}");
        if time > self.slowest.0 {
            self.slowest = (time, text.chars().take(200).collect());
        }
    }

    /// Says what was done.
    pub(crate) fn tell(&self, what: &str) {
        let (time, text) = &self.slowest;
        println!(
            "{what}: {} texts in {:?}, {} of them read; the slowest took {time:?}: {text:?}",
            self.count,
            self.begun.elapsed(),
            self.read
        );
        assert!(self.read > 0 && self.read < self.count, "{what}: {} of {}", self.read, self.count);
    }
}
