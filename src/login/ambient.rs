//! What the environment says about the servers that give logins: GitHub's for OIDC tokens, and endpoints of AWS that
//! somebody has set. Reads the variables it is given.

use std::collections::BTreeMap;

use crate::model::{Ecr, Secret};

/// The environment, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ambient {
    /// Where the job's OIDC tokens come from; none without `permissions: id-token: write`.
    pub oidc: Option<OidcServer>,
    /// The servers.
    pub endpoints: Endpoints,
}

/// `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcServer {
    /// Its address, with a query.
    pub url: String,
    /// What it wants to see.
    pub token: Secret,
}

/// Base URLs without a slash at the end, where they are not the clouds' own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// `AWS_ENDPOINT_URL_STS`.
    pub sts: Option<String>,
    /// `AWS_ENDPOINT_URL_ECR`.
    pub ecr: Option<String>,
    /// `AWS_ENDPOINT_URL_ECR_PUBLIC`.
    pub ecr_public: Option<String>,
    /// Google's token service. No variable sets this one and those below; tests do.
    pub google_sts: Option<String>,
    /// Google's service account credentials.
    pub google_iam: Option<String>,
    /// Microsoft's identity platform.
    pub microsoft: Option<String>,
    /// The registry's own address, for Azure.
    pub azure_registry: Option<String>,
    /// Docker's identity service.
    pub docker: Option<String>,
}

impl Ambient {
    /// From the process's variables.
    pub fn read(variables: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| variables.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let url = get("ACTIONS_ID_TOKEN_REQUEST_URL").map(str::to_owned);
        let token = get("ACTIONS_ID_TOKEN_REQUEST_TOKEN").map(Secret::new);
        let oidc = url.zip(token).map(|(url, token)| OidcServer { url, token });
        let aws = |service: &str| {
            let own = get(&format!("AWS_ENDPOINT_URL_{service}"));
            own.or_else(|| get("AWS_ENDPOINT_URL")).map(|url| url.trim_end_matches('/').to_owned())
        };
        let endpoints = Endpoints {
            sts: aws("STS"),
            ecr: aws("ECR"),
            ecr_public: aws("ECR_PUBLIC"),
            ..Endpoints::default()
        };
        Self { oidc, endpoints }
    }
}

impl Endpoints {
    /// AWS's token service of the registry's region.
    pub(super) fn sts(&self, ecr: &Ecr) -> String {
        or(self.sts.as_ref(), || format!("https://sts.{}.{}", ecr.region(), ecr.domain()))
    }

    /// The registry's API.
    pub(super) fn ecr(&self, ecr: &Ecr) -> String {
        match ecr {
            Ecr::Public => or(self.ecr_public.as_ref(), || {
                format!("https://api.ecr-public.{}.{}", ecr.region(), ecr.domain())
            }),
            Ecr::Private { region, domain, fips, .. } => or(self.ecr.as_ref(), || {
                let service = if *fips { "ecr-fips" } else { "api.ecr" };
                format!("https://{service}.{region}.{domain}")
            }),
        }
    }

    /// Microsoft's identity platform of a registry's cloud.
    pub(super) fn microsoft(&self, registry: &str) -> String {
        or(self.microsoft.as_ref(), || {
            let cloud = match registry.rsplit('.').next() {
                Some("cn") => "https://login.chinacloudapi.cn",
                Some("us") => "https://login.microsoftonline.us",
                _ => "https://login.microsoftonline.com",
            };
            cloud.to_owned()
        })
    }
}

/// What was set, or the cloud's own.
pub(super) fn or(set: Option<&String>, own: impl FnOnce() -> String) -> String {
    set.cloned().unwrap_or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RegistryHost;

    fn ambient(pairs: &[(&str, &str)]) -> Ambient {
        Ambient::read(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn aws_s_endpoints_follow_the_host() {
        let none = Endpoints::default();
        for (host, sts, ecr) in [
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                "https://sts.eu-west-1.amazonaws.com",
                "https://api.ecr.eu-west-1.amazonaws.com",
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "https://sts.cn-north-1.amazonaws.com.cn",
                "https://api.ecr.cn-north-1.amazonaws.com.cn",
            ),
            (
                "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                "https://sts.us-east-1.amazonaws.com",
                "https://ecr-fips.us-east-1.amazonaws.com",
            ),
            (
                "public.ecr.aws",
                "https://sts.us-east-1.amazonaws.com",
                "https://api.ecr-public.us-east-1.amazonaws.com",
            ),
        ] {
            let one = Ecr::of(&RegistryHost::parse(host).unwrap()).unwrap();
            assert_eq!((none.sts(&one).as_str(), none.ecr(&one).as_str()), (sts, ecr), "{host}");
        }
        let set =
            ambient(&[("AWS_ENDPOINT_URL", "http://localstack:4566/"), ("AWS_ENDPOINT_URL_STS", "http://s")]);
        assert_eq!(set.endpoints.sts(&Ecr::Public), "http://s");
        assert_eq!(set.endpoints.ecr(&Ecr::Public), "http://localstack:4566");
    }

    #[test]
    fn microsoft_s_clouds() {
        for (host, expected) in [
            ("acme.azurecr.io", "https://login.microsoftonline.com"),
            ("acme.azurecr.cn", "https://login.chinacloudapi.cn"),
            ("acme.azurecr.us", "https://login.microsoftonline.us"),
        ] {
            assert_eq!(Endpoints::default().microsoft(host), expected);
        }
    }

    #[test]
    fn oidc_needs_both() {
        let url = ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x/?a=b");
        let token = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2");
        assert_eq!(ambient(&[url]).oidc, None);
        assert_eq!(ambient(&[url, ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", " ")]).oidc, None);
        let both = ambient(&[url, token]);
        assert!(both.oidc.is_some());
        assert!(!format!("{both:?}").contains("hunter2"));
    }
}
