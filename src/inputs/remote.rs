//! Contexts that BuildKit fetches by itself: Git repositories and archives, by their URLs.
//!
//! Told apart from directories as `docker build` does (buildkit `dfgitutil.ParseGitRef`, `gitutil.ParseURL`). A URL
//! goes to the daemon, its log and the image's provenance, so one with credentials in it is refused.

use super::config::Dockerfile;
use super::fault::{InputFault, shown};

/// A context's URL, when the text is one.
pub(super) fn url(input: &str, text: &str, server_url: &str) -> Option<Result<String, InputFault>> {
    let text = text.trim();
    if text.starts_with("github.com/") || is_scp(text) {
        return Some(Ok(text.to_owned()));
    }
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "https" | "http" | "git" | "ssh") {
        return None;
    }
    let authority = rest.split(['/', '#', '?']).next().unwrap_or_default();
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let fault = |message: String| Some(Err(InputFault::new(input, message)));
    let credentials = match (scheme.as_str(), user) {
        (_, None) => false,
        // Over SSH a user is no secret, a password is.
        ("ssh", Some(user)) => user.contains(':'),
        (_, Some(_)) => true,
    };
    if credentials {
        let message = format!(
            "the URL of `{}` holds credentials, which everybody who reads the image's provenance would see",
            shown(host)
        );
        let fault = InputFault::new(input, message)
            .hint("leave them out: `token` is used for this GitHub server, and a build secret `GIT_AUTH_TOKEN.<host>[:<port>]` for another");
        return Some(Err(fault));
    }
    if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return fault(format!("`{}` is no URL", shown(text)));
    }
    Some(Ok(with_git_suffix(&scheme, rest, server_url).unwrap_or_else(|| format!("{scheme}://{rest}"))))
}

/// A repository's page on this GitHub server is meant as the repository: Docker would download the page.
fn with_git_suffix(scheme: &str, rest: &str, server_url: &str) -> Option<String> {
    let server = server_url.split_once("://").map_or(server_url, |(_, host)| host).trim_end_matches('/');
    let (page, fragment) = rest.find(['#', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let (host, path) = page.split_once('/')?;
    let ours = host == "github.com" || host.eq_ignore_ascii_case(server);
    let path = path.trim_end_matches('/');
    let repository =
        path.split('/').filter(|part| !part.is_empty()).count() == 2 && path.split('/').count() == 2;
    let git = path.strip_suffix(".git").is_some();
    (ours && repository && !git && scheme.starts_with("http"))
        .then(|| format!("{scheme}://{host}/{path}.git{fragment}"))
}

/// `git@github.com:acme/shop.git`.
fn is_scp(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    plain(user) && plain(host) && !path.is_empty() && !path.starts_with("//")
}

/// The Dockerfile that comes with a remote context: a path in it.
pub(super) fn dockerfile(text: &str) -> Result<Dockerfile, InputFault> {
    let text = if text.is_empty() { "Dockerfile" } else { text };
    let fault = |message: &str| {
        InputFault::new("dockerfile", format!("`{}` {message}", shown(text)))
            .hint("with a URL as `context` it is a path in that context")
    };
    if text.starts_with('/') {
        return Err(fault("is an absolute path"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(fault("leads out of the context"));
    }
    if parts.is_empty() {
        return Err(fault("names no file"));
    }
    let path = parts.join("/");
    Ok(Dockerfile { directory: None, file_name: path.clone(), in_workspace: path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, expected) in [
            ("https://github.com/acme/shop.git", "https://github.com/acme/shop.git"),
            ("https://github.com/acme/shop.git#main:api", "https://github.com/acme/shop.git#main:api"),
            ("https://github.com/acme/shop", "https://github.com/acme/shop.git"),
            ("https://github.com/acme/shop/#v1:api", "https://github.com/acme/shop.git#v1:api"),
            ("https://github.com/acme/shop?ref=v1", "https://github.com/acme/shop.git?ref=v1"),
            (
                "https://ghe.example/acme/shop#refs/pull/3/merge",
                "https://ghe.example/acme/shop.git#refs/pull/3/merge",
            ),
            ("https://gitlab.example/acme/shop", "https://gitlab.example/acme/shop"),
            (
                "https://github.com/acme/shop/archive/main.tar.gz",
                "https://github.com/acme/shop/archive/main.tar.gz",
            ),
            ("HTTPS://files.example/x.tar.gz", "https://files.example/x.tar.gz"),
            ("git@github.com:acme/shop.git#main", "git@github.com:acme/shop.git#main"),
            ("ssh://git@github.com/acme/shop.git", "ssh://git@github.com/acme/shop.git"),
            ("git://git.example/shop.git", "git://git.example/shop.git"),
            ("github.com/acme/shop", "github.com/acme/shop"),
        ] {
            assert_eq!(url("context", text, "https://ghe.example"), Some(Ok(expected.into())), "{text}");
        }
        for directory in
            ["", ".", "apps/api", "/github/workspace", "a@b", "a:b", "docker-image://alpine", "C:\\x"]
        {
            assert_eq!(url("context", directory, "https://github.com"), None, "{directory}");
        }
    }

    #[test]
    fn credentials_stay_out_of_urls() {
        for text in [
            "https://octocat:hunter2@github.com/acme/shop.git",
            "https://hunter2@github.com/acme/shop.git",
            "https://x-access-token:hunter2@ghe.example/acme/shop",
            "ssh://git:hunter2@github.com/acme/shop.git",
            "http://a@hunter2:x@h/x.tar",
        ] {
            let fault = url("context", text, "https://github.com").unwrap().unwrap_err();
            assert!(fault.message.contains("holds credentials"), "{fault}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
        assert!(url("context", "https://", "").unwrap().unwrap_err().message.contains("no URL"));
        assert!(url("context", "https://a b/c", "").unwrap().unwrap_err().message.contains("no URL"));
    }

    #[test]
    fn dockerfiles_of_remote_contexts() {
        for (text, path) in
            [("", "Dockerfile"), ("./docker//prod", "docker/prod"), ("a/Dockerfile", "a/Dockerfile")]
        {
            let dockerfile = dockerfile(text).unwrap();
            assert_eq!((dockerfile.directory, dockerfile.file_name.as_str()), (None, path));
        }
        for (text, part) in
            [("/x", "absolute"), ("../x", "leads out"), ("a/../../x", "leads out"), ("./", "names no file")]
        {
            assert!(dockerfile(text).unwrap_err().message.contains(part), "{text}");
        }
    }
}
