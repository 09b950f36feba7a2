//! What refers to a manifest: signatures, attestations, records.
//!
//! OCI distribution 1.1, "Listing Referrers": the API where a registry has it, else the tag `sha256-<hex>`. Filters are
//! applied here again, as a registry need not apply them. Who wrote the entries is a stranger: they are bounded in
//! number, and say only what may be read by its digest.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;

use super::ask::Request;
use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::OCI_INDEX;
use super::manifest::{Manifest, media_type};
use super::token::Access;
use super::transport::redirect;
use crate::model::{Digest, Repository, Tag, text};

/// One manifest that refers to another one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    #[serde(default)]
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// What it is; empty where nobody says.
    #[serde(default)]
    pub artifact_type: String,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Pages of one list that are read.
const MAX_PAGES: usize = 16;
/// Entries that are read.
const MAX_REFERRERS: usize = 1000;

impl RegistryClient {
    /// What refers to this manifest, of one type if one is named. Nothing does where neither API nor tag is there.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Referrer>, RegistryError> {
        let doing = format!("list what refers to `{subject}` of `{}`", repository.path());
        let mut found = match self.listed(&doing, repository, subject, artifact_type).await? {
            Some(found) => found,
            None => self.tagged(&doing, repository, subject).await?,
        };
        found.retain(|one| artifact_type.is_none_or(|wanted| one.artifact_type == wanted));
        Ok(found)
    }

    /// By the API; `None` where there is none.
    async fn listed(
        &self,
        doing: &str,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Referrer>>, RegistryError> {
        let mut rest = format!("referrers/{subject}");
        if let Some(wanted) = artifact_type {
            rest.push_str("?artifactType=");
            super::token::percent_encode(&mut rest, wanted);
        }
        let list = |request: Request| request.header(header::ACCEPT, OCI_INDEX);
        let mut request = list(Request::to(Method::GET, repository, &rest, Access::Pull, "list"));
        let mut found = Vec::new();
        for page in 0..MAX_PAGES {
            let (answer, proof) = self.ask(doing, request).await?;
            // Those who do not know it say so in many ways, a page for people among them.
            let unknown = matches!(answer.status.as_u16(), 400 | 404 | 405 | 406 | 501);
            if page == 0
                && (unknown || answer.status.is_success() && media_type(&answer.headers) != OCI_INDEX)
            {
                return Ok(None);
            }
            self.good(doing, &answer, &proof)?;
            found.extend(entries(&answer.body).map_err(|why| self.fail(doing, why))?);
            if found.len() > MAX_REFERRERS {
                return Err(self.fail(doing, Kind::Protocol(format!("there are more than {MAX_REFERRERS}"))));
            }
            let Some(next) = next_page(&answer.headers) else { return Ok(Some(found)) };
            let from = self.url(&rest, repository).await?;
            let next = redirect(&from, next.as_bytes()).map_err(|kind| self.fail(doing, kind))?;
            request = list(Request::at(Method::GET, repository, next, Access::Pull, "list"));
        }
        Err(self.fail(doing, Kind::Protocol(format!("the list has more than {MAX_PAGES} pages"))))
    }

    /// By the tag that stands in for the API.
    async fn tagged(
        &self,
        doing: &str,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Referrer>, RegistryError> {
        let tag = Tag::parse(&subject.as_str().replace(':', "-"));
        let Ok(tag) = tag else { return Ok(Vec::new()) };
        let index: Manifest = match self.get_manifest(repository, &tag).await {
            Ok(index) => index,
            Err(error) if error.is_absence() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        entries(&index.bytes).map_err(|why| self.fail(doing, why))
    }
}

fn entries(bytes: &[u8]) -> Result<Vec<Referrer>, Kind> {
    #[derive(Deserialize)]
    struct Index {
        // `null` is how Go writes an empty list.
        manifests: Option<Vec<Referrer>>,
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|error| {
        Kind::Protocol(format!("the list is not an image index: {}", text::line(&error.to_string())))
    })?;
    Ok(index.manifests.unwrap_or_default())
}

/// The aim of `Link: </v2/…>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(header::LINK).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    links.flat_map(|link| link.split(',')).find_map(|link| {
        let (aim, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next"));
        next.then(|| aim.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_next_page() {
        for (values, expected) in [
            (&[][..], None),
            (&["</v2/a/referrers/d?page=2>; rel=\"next\""][..], Some("/v2/a/referrers/d?page=2")),
            (&["</a>; rel=prev, </b>; rel=next"], Some("/b")),
            (&["</a>; rel=prev", "</b>; x=y; rel=\"next\""], Some("/b")),
            (&["/b; rel=next", "<b"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::LINK, HeaderValue::from_static(value));
            }
            assert_eq!(next_page(&headers).as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn lists() {
        let digest = Digest::of(b"x");
        let one = format!(r#"{{"digest":"{digest}","size":1,"artifactType":"t","annotations":{{"a":"b"}}}}"#);
        let count = |text: &str| entries(text.as_bytes()).map(|found| found.len()).ok();
        assert_eq!(count(&format!(r#"{{"schemaVersion":2,"manifests":[{one},{one}]}}"#)), Some(2));
        assert_eq!(count(r#"{"manifests":null}"#), Some(0));
        assert_eq!(count("{}"), Some(0));
        assert_eq!(count(r#"{"manifests":[{"digest":"x","size":1}]}"#), None);
        assert_eq!(count("<html>"), None);
    }
}
