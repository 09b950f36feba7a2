//! What no real registry at hand does: uploads elsewhere, no HEAD, lists without end, scopes of their own.

use docker_push_action::model::Digest;
use docker_push_action::registry::{Deletion, Kind, Mount};

use super::fake::{Answer, Fake, Request, answer};
use super::{INDEX, MANIFEST, api, kept, tag};

const BLOB: &str = "a blob";

fn blob() -> Digest {
    Digest::of(BLOB.as_bytes())
}

/// A registry with a password that wants uploads at `location`.
async fn wants_uploads_at(location: String) -> Fake {
    Fake::start(move |request| match request.header("authorization") {
        None => answer(401, &["WWW-Authenticate: Basic realm=x"], ""),
        Some(_) if request.method == "POST" => answer(202, &[&format!("Location: {location}")], ""),
        Some(_) => answer(201, &[], ""),
    })
    .await
}

#[tokio::test]
async fn an_upload_elsewhere_sees_no_login() {
    let storage = Fake::start(|_| answer(201, &[], "")).await;
    let fake = wants_uploads_at(format!("http://{}/put?signed=1", storage.address)).await;
    let (client, repository) = (fake.client_of_octo(), fake.repository());
    client.put_blob(&repository, &BLOB.into()).await.unwrap();
    let upload = client.begin_upload(&repository).await.unwrap();
    client.end_upload(&repository, upload).await;
    let lines = [format!("PUT /put?signed=1&digest={}", blob()), "DELETE /put?signed=1".to_owned()];
    assert_eq!(storage.lines(), lines);
    assert_eq!(storage.asked()[0].body, BLOB.as_bytes());
    assert!(storage.asked().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn a_bad_place_for_an_upload_is_refused_but_proves_access() {
    for location in ["", "file:///etc/passwd", "https://u:p@r.io/x", "not a url", "http://[::"] {
        let fake = wants_uploads_at(location.into()).await;
        let (client, repository) = (fake.client_of_octo(), fake.repository());
        let upload = client.begin_upload(&repository).await.unwrap();
        client.end_upload(&repository, upload).await;
        let error = client.put_blob(&repository, &BLOB.into()).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Protocol(_)), "{location}: {error:?}");
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_ended_is_left() {
    for reply in [405, 404, 500, 403] {
        let fake = Fake::start(move |request| match request.method.as_str() {
            "POST" => answer(202, &["Location: /v2/acme/api/blobs/uploads/1"], ""),
            "DELETE" => answer(reply, &[], ""),
            _ => answer(200, &[], ""),
        })
        .await;
        let (client, repository) = (fake.client(), fake.repository());
        let upload = client.begin_upload(&repository).await.unwrap();
        client.end_upload(&repository, upload).await;
        assert_eq!(fake.lines().last().unwrap(), "DELETE /v2/acme/api/blobs/uploads/1");
        let mount = fake.client().mount_blob(&fake.repository(), &fake.repository(), &blob()).await;
        assert_eq!(mount.unwrap(), Mount::NotMounted);
    }
}

/// As ECR and GHCR say it.
#[tokio::test]
async fn what_counts_as_a_denial() {
    for (status, body, denial) in [
        (403, r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#, true),
        // Not its own words: somebody on the way.
        (403, "", false),
        (403, "<html><title>Request blocked</title></html>", false),
        (401, "", true),
        (400, r#"{"errors":[{"code":"DENIED"}]}"#, true),
        (404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist"}]}"#, false),
        (429, "", false),
        (500, "", false),
    ] {
        let fake = Fake::start(move |request| api(request, || answer(status, &[], body))).await;
        let error = fake.client().begin_upload(&fake.repository()).await.unwrap_err();
        assert_eq!(error.is_denial(), denial, "{error}");
    }
}

#[tokio::test]
async fn registries_without_head() {
    for refusal in [405, 501] {
        let fake = Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
            (_, "/v2/") => answer(200, &[], ""),
            // No answer to HEAD has a body.
            ("HEAD", _) => {
                Answer::Cut(format!("HTTP/1.1 {refusal} X\r\nContent-Length: 0\r\n\r\n").into_bytes())
            }
            (_, target) if target.ends_with("/v1") => kept("{}", MANIFEST),
            (_, target) if target.ends_with(blob().as_str()) => {
                assert_eq!(request.header("range"), Some("bytes=0-0"));
                answer(206, &["Content-Range: bytes 0-0/6"], "a")
            }
            (_, target) if target.contains("/blobs/") => {
                let length = 1 << 30;
                Answer::Stall(
                    [
                        format!("HTTP/1.1 200 X\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
                        &vec![0; 5 << 20],
                    ]
                    .concat(),
                )
            }
            _ => answer(404, &[], ""),
        })
        .await;
        let (client, repository) = (fake.client(), fake.repository());
        let found = client.head_manifest(&repository, &tag("v1")).await.unwrap().unwrap();
        assert_eq!((found.digest, found.size), (Digest::of(b"{}"), Some(2)));
        assert_eq!(client.head_manifest(&repository, &tag("none")).await.unwrap(), None);
        assert_eq!(client.head_blob(&repository, &blob()).await.unwrap(), Some(6));
        // One that ignores the range and sends a gigabyte: a bounded part of it is read.
        assert_eq!(client.head_blob(&repository, &Digest::of(b"large")).await.unwrap(), Some(0));
    }
}

#[tokio::test]
async fn a_scope_that_the_registry_names_is_asked_for() {
    let asked_for = |request: &Request| {
        let query = request.target.split_once('?').unwrap().1;
        query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).map(str::to_owned).collect::<Vec<_>>()
    };
    let fake = Fake::start(move |request| {
        let host = request.header("host").unwrap_or_default();
        let challenge = |scope: &str| {
            format!(r#"WWW-Authenticate: Bearer realm="http://{host}/token",service="s",scope="{scope}""#)
        };
        if request.is("GET", "/token") {
            let scopes = asked_for(request);
            let token = if scopes.contains(&"repository:acme/api:%2A".to_owned()) { "all" } else { "some" };
            return answer(200, &[], format!(r#"{{"token":"{token}"}}"#));
        }
        match request.header("authorization") {
            // As GHCR: the first one names a scope that has nothing to do with us.
            None => answer(401, &[&challenge("repository:user/image:pull")], ""),
            Some("Bearer all") => answer(202, &[], ""),
            Some(_) => answer(401, &[&challenge("repository:acme/api:* repository:acme/secret:pull")], ""),
        }
    })
    .await;
    let deleted = fake.client_of_octo().delete_manifest(&fake.repository(), &tag("v1")).await.unwrap();
    assert_eq!(deleted, Deletion::Done);
    let tokens: Vec<_> =
        fake.asked().iter().filter(|request| request.is("GET", "/token")).map(asked_for).collect();
    assert_eq!(
        tokens,
        [
            vec!["repository:acme/api:delete".to_owned()],
            vec!["repository:acme/api:delete".to_owned(), "repository:acme/api:%2A".to_owned()],
        ]
    );
}

#[tokio::test]
async fn removals_that_are_refused() {
    for (status, body, expected) in [
        (405, "", Some(Deletion::Unsupported)),
        (501, "", Some(Deletion::Unsupported)),
        (
            400,
            r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#,
            Some(Deletion::Unsupported),
        ),
        (404, "", Some(Deletion::Absent)),
        (403, "", None),
        (500, "", None),
    ] {
        let fake = Fake::start(move |request| api(request, || answer(status, &[], body))).await;
        let deleted = fake.client().delete_manifest(&fake.repository(), &blob()).await;
        assert_eq!(deleted.ok(), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn lists_of_referrers() {
    let entry = |text: &str| {
        format!(r#"{{"digest":"{}","size":1,"artifactType":"{text}"}}"#, Digest::of(text.as_bytes()))
    };
    let page = move |entries: &[&str]| {
        let entries: Vec<String> = entries.iter().map(|text| entry(text)).collect();
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
    };
    // Two pages.
    let pages = [page(&["a", "b"]), page(&["a"])];
    let fake = Fake::start(move |request| {
        let media_type = format!("Content-Type: {INDEX}");
        let next = r#"Link: </v2/acme/api/referrers/x?page=2>; rel="next""#;
        match request.target.as_str() {
            "/v2/" => answer(200, &[], ""),
            target if target.ends_with("page=2") => answer(200, &[&media_type], &pages[1]),
            _ => answer(200, &[&media_type, next], &pages[0]),
        }
    })
    .await;
    let (client, repository) = (fake.client(), fake.repository());
    assert_eq!(client.referrers(&repository, &blob(), None).await.unwrap().len(), 3);
    // The registry applies no filter: we do.
    assert_eq!(client.referrers(&repository, &blob(), Some("a")).await.unwrap().len(), 2);

    // No end, and too many.
    let many: Vec<String> = (0..1100).map(|number| number.to_string()).collect();
    let many = page(&many.iter().map(String::as_str).collect::<Vec<_>>());
    for (body, why) in [(page(&["a"]), "more than 16 pages"), (many, "more than 1000")] {
        let fake = Fake::start(move |request| {
            let headers =
                [&format!("Content-Type: {INDEX}"), r#"Link: </v2/acme/api/referrers/x>; rel="next""#];
            api(request, || answer(200, &headers, &body))
        })
        .await;
        let error = fake.client().referrers(&fake.repository(), &blob(), None).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }

    // A page for people in place of an API, and the tag instead.
    let tagged = page(&["a"]);
    let fake = Fake::start(move |request| {
        let wanted = format!("/manifests/{}", blob().as_str().replace(':', "-"));
        match request.target.as_str() {
            target if target.ends_with(&wanted) => kept(&tagged, INDEX),
            _ => answer(200, &["Content-Type: text/html"], "<html>"),
        }
    })
    .await;
    assert_eq!(fake.client().referrers(&fake.repository(), &blob(), None).await.unwrap().len(), 1);
    // Trouble is no empty list.
    let fake = Fake::start(|request| api(request, || answer(500, &[], ""))).await;
    assert!(fake.client().referrers(&fake.repository(), &blob(), None).await.is_err());
}
