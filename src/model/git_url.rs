//! URLs of Git repositories that BuildKit fetches by itself, in the parts that say what is fetched.
//!
//! Obeys BuildKit: `util/gitutil` (what a URL is, `#REF:SUBDIR`), the frontend's `dfgitutil` (`?ref=`, `?branch=`, `?tag=`,
//! `?commit=`, `?subdir=`, …) and `client/llb` (how a source is identified). Over HTTP only what ends in `.git` is a
//! repository; everything else there is a file to download. Nothing is decoded: a ref that is written with `%` stays what
//! it is, and means nothing to whoever asks for it.

use super::CommitId;

/// A Git repository, and what is to be fetched of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitUrl {
    /// All that stands before query and fragment, as it was written.
    place: String,
    /// Over HTTP, with or without TLS.
    is_http: bool,
    host: String,
    port: Option<u16>,
    /// On that host, without a leading slash.
    path: String,
    /// Fields of the query that name no ref, as they were written.
    query: Vec<String>,
    reference: String,
    /// The ref stands in the query.
    by_query: bool,
    /// A commit that the query demands, whole or abbreviated.
    checksum: Option<String>,
    subdir: String,
    keeps_git_dir: bool,
}

impl GitUrl {
    /// Reads it; none if it is no URL of a Git repository, or one that BuildKit does not understand either.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (scheme, rest) = match place.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None if place.starts_with("github.com/") => ("https".to_owned(), place),
            None => (String::new(), place),
        };
        let (authority, path) = match scheme.as_str() {
            "http" | "https" | "git" | "ssh" => rest.split_once('/')?,
            // `git@github.com:acme/shop.git`
            "" => rest.split_once(':').filter(|(authority, _)| authority.contains('@'))?,
            _ => return None,
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => (host, Some(port.parse().ok()?)),
            _ => (host, None),
        };
        let is_http = scheme.starts_with("http");
        let is_repository = !is_http || path.strip_suffix(".git").is_some() || !place.contains("://");
        if host.is_empty() || !is_repository {
            return None;
        }
        let usual = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            "ssh" => Some(22),
            _ => None,
        };
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        let mut url = Self {
            place: place.to_owned(),
            is_http,
            host: host.to_owned(),
            port: port.filter(|port| Some(*port) != usual),
            path: path.trim_start_matches('/').to_owned(),
            query: Vec::new(),
            reference: reference.to_owned(),
            by_query: false,
            checksum: None,
            subdir: subdir.to_owned(),
            keeps_git_dir: false,
        };
        query.split('&').filter(|field| !field.is_empty()).try_for_each(|field| url.read_field(field))?;
        Some(url)
    }

    /// A field of the query; none if it contradicts what was read before.
    fn read_field(&mut self, field: &str) -> Option<()> {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        let whole = |prefix: &str| match value.strip_prefix(prefix) {
            Some(_) => value.to_owned(),
            None => format!("{prefix}{value}"),
        };
        let reference = match key {
            "ref" => value.to_owned(),
            "branch" => whole("refs/heads/"),
            "tag" => whole("refs/tags/"),
            _ => {
                match key {
                    "commit" | "checksum" => self.checksum = Some(value.to_owned()),
                    "subdir" => value.clone_into(&mut self.subdir),
                    "keep-git-dir" => {
                        self.keeps_git_dir = matches!(value, "" | "1" | "t" | "T" | "true" | "TRUE" | "True");
                    }
                    _ => {}
                }
                self.query.push(field.to_owned());
                return Some(());
            }
        };
        let contradicts = !self.reference.is_empty() && self.reference != reference;
        if value.is_empty() || contradicts {
            return None;
        }
        (self.reference, self.by_query) = (reference, true);
        Some(())
    }

    /// `owner/name`, if it is a repository on this server, whose URL may have a port, and is called as GitHub's are.
    pub fn repository_on(&self, server_url: &str) -> Option<&str> {
        let (scheme, server) = server_url.split_once("://")?;
        let server = server.split('/').next().unwrap_or_default();
        let (server, port) = match server.rsplit_once(':') {
            Some((server, port)) => (server, port.parse::<u16>().ok()),
            None => (server, None),
        };
        let usual = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
        let port = port.filter(|port| *port != usual);
        // Over SSH the same server has another port, which is seldom written.
        let same_port = if self.is_http { self.port == port } else { self.port.is_none() };
        let name = self.path.strip_suffix(".git").unwrap_or(&self.path);
        let called = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        let two = name.split_once('/').is_some_and(|(owner, name)| called(owner) && called(name));
        (same_port && two && self.host.eq_ignore_ascii_case(server)).then_some(name)
    }

    /// The ref, as it was written; empty for the default branch.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The commit, if a whole one is named, as only then BuildKit takes it for one.
    pub fn commit(&self) -> Option<CommitId> {
        let named = self.checksum.as_ref().unwrap_or(&self.reference);
        let of = |text: &str| CommitId::parse(text).ok().filter(|commit| commit.as_str() == text);
        of(named).or_else(|| of(&self.reference))
    }

    /// The directory of the repository that is the context, without slashes around it; empty for all of it.
    pub fn subdir(&self) -> String {
        let mut parts = Vec::new();
        for part in self.subdir.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// The query asks for the context's `.git`, in which the ref has its name.
    pub fn keeps_git_dir(&self) -> bool {
        self.keeps_git_dir
    }

    /// The repository's address for people; none where it is not reached over HTTP.
    pub fn page(&self) -> Option<&str> {
        let page = self.place.strip_suffix(".git").unwrap_or(&self.place);
        (self.is_http && page.contains("://")).then_some(page)
    }

    /// The same with this commit in the ref's place, where the ref stood.
    #[must_use]
    pub fn at(&self, commit: &CommitId) -> Self {
        Self { reference: commit.to_string(), ..self.clone() }
    }

    /// How BuildKit identifies this source: what rules of a source policy go by.
    pub fn source(&self) -> String {
        let port = self.port_as_written().map_or_else(String::new, |port| format!(":{port}"));
        let mut source = format!("git://{}{port}/{}", self.host, self.path);
        let subdir = self.subdir();
        if !self.reference.is_empty() || !subdir.is_empty() {
            source.push('#');
            source.push_str(&self.reference);
        }
        if !subdir.is_empty() {
            source.push(':');
            source.push_str(&subdir);
        }
        source
    }

    /// Also one that is the scheme's own.
    fn port_as_written(&self) -> Option<u16> {
        let (_, rest) = self.place.split_once("://")?;
        let host = rest.split('/').next()?;
        host.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }
}

impl std::fmt::Display for GitUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)?;
        let named = self.by_query.then(|| format!("ref={}", self.reference));
        let fields: Vec<&str> = named.iter().chain(&self.query).map(String::as_str).collect();
        if !fields.is_empty() {
            write!(f, "?{}", fields.join("&"))?;
        }
        let in_query = self.query.iter().any(|field| field.starts_with("subdir="));
        let subdir = if in_query { String::new() } else { self.subdir() };
        let reference = if self.by_query { "" } else { &self.reference };
        match (reference, subdir.as_str()) {
            ("", "") => Ok(()),
            (reference, "") => write!(f, "#{reference}"),
            (reference, subdir) => write!(f, "#{reference}:{subdir}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn what_is_a_git_repository() {
        for (text, repository, reference, subdir) in [
            ("https://github.com/acme/shop.git", "acme/shop", "", ""),
            ("https://github.com/acme/shop.git#main", "acme/shop", "main", ""),
            ("https://github.com/acme/shop.git#feature/a:/api/./x/", "acme/shop", "feature/a", "api/x"),
            ("https://GitHub.com:443/acme/shop.git#:api", "acme/shop", "", "api"),
            (
                "https://github.com/acme/shop.git?branch=main&subdir=api",
                "acme/shop",
                "refs/heads/main",
                "api",
            ),
            ("https://github.com/acme/shop.git?tag=refs/tags/v1", "acme/shop", "refs/tags/v1", ""),
            (
                "https://github.com/acme/shop.git?ref=pull/7/merge#pull/7/merge:x",
                "acme/shop",
                "pull/7/merge",
                "x",
            ),
            ("github.com/acme/shop#v1", "acme/shop", "v1", ""),
            ("git@github.com:acme/shop.git#dev", "acme/shop", "dev", ""),
            ("ssh://git@github.com/acme/shop.git#dev", "acme/shop", "dev", ""),
            ("git://github.com/acme/shop#dev:../../x", "acme/shop", "dev", "x"),
        ] {
            let url = GitUrl::parse(text).unwrap();
            assert_eq!(url.repository_on("https://github.com"), Some(repository), "{text}");
            assert_eq!((url.reference(), url.subdir().as_str()), (reference, subdir), "{text}");
        }
        for text in [
            "https://example.com/shop.tar.gz",
            "https://github.com/acme/shop/archive/main.tar.gz",
            "https://github.com/acme/shop",
            "https://github.com/acme/shop.git/",
            "https://github.com/acme/shop.git?ref=a#b",
            "https://github.com/acme/shop.git?ref=a&branch=a",
            "https://github.com/acme/shop.git?ref=",
            "https://github.com:x/acme/shop.git",
            "ftp://github.com/acme/shop.git",
            "https:///acme/shop.git",
            "api",
            "",
        ] {
            assert_eq!(GitUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn whose_it_is() {
        for (text, server, expected) in [
            ("https://github.com/acme/shop.git", "https://github.com", Some("acme/shop")),
            ("http://git.example:8080/acme/shop.git", "http://git.example:8080", Some("acme/shop")),
            ("ssh://git@git.example/acme/shop.git", "http://git.example:8080", Some("acme/shop")),
            ("http://git.example/acme/shop.git", "http://git.example:8080", None),
            ("https://github.com:8443/acme/shop.git", "https://github.com", None),
            ("https://gitlab.example/acme/shop.git", "https://github.com", None),
            ("https://evil.example/x@github.com/acme/shop.git", "https://github.com", None),
            ("https://github.com@evil.example/acme/shop.git", "https://github.com", None),
            ("https://github.com.evil.example/acme/shop.git", "https://github.com", None),
            ("https://github.com/acme/../shop.git", "https://github.com", None),
            ("https://github.com/../shop.git", "https://github.com", None),
            ("https://github.com/acme/sh%6fp.git", "https://github.com", None),
            ("https://github.com/shop.git", "https://github.com", None),
            ("https://github.com/acme/shop.git", "", None),
        ] {
            assert_eq!(GitUrl::parse(text).unwrap().repository_on(server), expected, "{text}");
        }
    }

    #[test]
    fn a_commit_takes_the_refs_place() {
        let commit = CommitId::parse(COMMIT).unwrap();
        for (text, expected) in [
            ("https://github.com/acme/shop.git", "https://github.com/acme/shop.git#COMMIT"),
            ("https://github.com/acme/shop.git#main:api", "https://github.com/acme/shop.git#COMMIT:api"),
            ("https://github.com/acme/shop.git#:api", "https://github.com/acme/shop.git#COMMIT:api"),
            ("https://github.com/acme/shop.git?branch=main", "https://github.com/acme/shop.git?ref=COMMIT"),
            (
                "https://github.com/acme/shop.git?subdir=api&tag=v1&submodules=false",
                "https://github.com/acme/shop.git?ref=COMMIT&subdir=api&submodules=false",
            ),
            (
                "https://github.com/acme/shop.git?subdir=api",
                "https://github.com/acme/shop.git?subdir=api#COMMIT",
            ),
            (
                "https://github.com/acme/shop.git?ref=main#main:api",
                "https://github.com/acme/shop.git?ref=COMMIT#:api",
            ),
            ("github.com/acme/shop#v1", "github.com/acme/shop#COMMIT"),
            ("git@github.com:acme/shop.git#dev:a/b", "git@github.com:acme/shop.git#COMMIT:a/b"),
        ] {
            let url = GitUrl::parse(text).unwrap();
            let at = url.at(&commit);
            assert_eq!(at.to_string(), expected.replace("COMMIT", COMMIT), "{text}");
            let again = GitUrl::parse(&at.to_string()).unwrap();
            assert_eq!((again.commit(), again.subdir()), (Some(commit.clone()), url.subdir()), "{text}");
        }
    }

    #[test]
    fn a_whole_commit_is_one_and_nothing_else() {
        let named = |text: &str| GitUrl::parse(&text.replace("COMMIT", COMMIT)).unwrap().commit();
        let commit = CommitId::parse(COMMIT).ok();
        assert_eq!(named("https://h/a/b.git#COMMIT:api"), commit);
        assert_eq!(named("https://h/a/b.git?ref=main&commit=COMMIT"), commit);
        assert_eq!(named("https://h/a/b.git?ref=main&checksum=COMMIT"), commit);
        assert_eq!(named("https://h/a/b.git?ref=COMMIT&commit=1111111"), commit);
        assert_eq!(named("https://h/a/b.git?ref=main&commit=1111111"), None);
        assert_eq!(named("https://h/a/b.git#1111111"), None);
        assert_eq!(
            named(&format!("https://h/a/b.git#{}", "A".repeat(40))),
            None,
            "BuildKit takes it for a ref"
        );
        assert_eq!(named(&format!("https://h/a/b.git#{}", "0".repeat(40))), None);
    }

    #[test]
    fn what_buildkit_calls_it() {
        for (text, expected) in [
            ("https://github.com/acme/shop.git", "git://github.com/acme/shop.git"),
            (
                "http://git.example:3000/acme/shop.git#main:api/",
                "git://git.example:3000/acme/shop.git#main:api",
            ),
            ("git@github.com:acme/shop.git#dev", "git://github.com/acme/shop.git#dev"),
            ("ssh://git@github.com/acme/shop.git?tag=v1", "git://github.com/acme/shop.git#refs/tags/v1"),
            ("github.com/acme/shop#:api", "git://github.com/acme/shop#:api"),
        ] {
            assert_eq!(GitUrl::parse(text).unwrap().source(), expected, "{text}");
        }
    }

    #[test]
    fn pages_and_kept_directories() {
        let page = |text: &str| GitUrl::parse(text).unwrap().page().map(str::to_owned);
        assert_eq!(
            page("https://github.com/acme/shop.git#main").as_deref(),
            Some("https://github.com/acme/shop")
        );
        assert_eq!(page("git@github.com:acme/shop.git"), None);
        let keeps =
            |query: &str| GitUrl::parse(&format!("https://h/a/b.git?{query}")).unwrap().keeps_git_dir();
        assert!(keeps("keep-git-dir=1") && keeps("ref=x&keep-git-dir=true") && keeps("keep-git-dir"));
        assert!(!keeps("keep-git-dir=0") && !keeps("ref=x"));
    }
}
