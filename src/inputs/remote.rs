//! Contexts that BuildKit fetches by itself: Git repositories and archives, by their URLs.
//!
//! Told apart from directories as `docker build` does (buildkit `dfgitutil.ParseGitRef`, `gitutil.ParseURL`). A URL
//! goes to the daemon, its log and the image's provenance, so one with credentials in it is refused.

use super::fault::{InputFault, shown};

/// The URL of a context, or what is wrong with it; nothing when the text is no URL but the name of a directory.
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
        return fault(format!("`{}` is not a URL", shown(text)));
    }
    Some(Ok(with_git_suffix(&scheme, rest, server_url).unwrap_or_else(|| format!("{scheme}://{rest}"))))
}

/// The URL of the repository whose page on this GitHub server the text is: Docker would download the page.
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

/// Whether the text is an address as scp has them: `git@github.com:acme/shop.git`.
fn is_scp(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    plain(user) && plain(host) && !path.is_empty() && !path.starts_with("//")
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
        assert!(url("context", "https://", "").unwrap().unwrap_err().message.contains("not a URL"));
        assert!(url("context", "https://a b/c", "").unwrap().unwrap_err().message.contains("not a URL"));
    }
}
