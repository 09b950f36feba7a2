//! Who a run is to a cloud: what is exchanged for a registry's login before anything is built.
//!
//! Only names and, for AWS, the keys that the job was given; the exchange is the room `login`'s.

use super::{LoginSource, RegistryHost, Secret};

/// An identity that stands for the login at one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The registry that the login is for.
    pub registry: RegistryHost,
    /// What is exchanged.
    pub kind: IdentityKind,
    /// Who gave it, for messages.
    pub source: LoginSource,
}

/// What is exchanged for a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// Amazon ECR.
    Ecr {
        /// The registry's account and region.
        ecr: Ecr,
        /// As whom.
        by: AwsIdentity,
    },
    /// Google's Artifact Registry, by workload identity federation.
    Google {
        /// `projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>`.
        provider: String,
        /// The service account to act as; without one the federated identity itself must have the rights.
        service_account: Option<String>,
    },
    /// Azure Container Registry, by a federated credential.
    Azure {
        /// The application's (client) id.
        client: String,
        /// The tenant's id or domain.
        tenant: String,
    },
    /// Docker Hub, by an OIDC connection of an organisation.
    DockerHub {
        /// The organisation.
        username: String,
        /// The connection's id.
        connection: String,
        /// How long the login lives, in seconds.
        lifetime: u32,
    },
}

/// As whom AWS is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsIdentity {
    /// The role of this ARN, by the job's OIDC token.
    Role(String),
    /// The holder of these keys.
    Keys(AwsKeys),
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// `AKIA…` or `ASIA…`.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// With a temporary one.
    pub session: Option<Secret>,
}

/// A registry of Amazon's, by its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ecr {
    /// `<account>.dkr.ecr.<region>.amazonaws.com`.
    Private {
        /// Twelve digits.
        account: String,
        /// `eu-west-1`.
        region: String,
        /// `amazonaws.com`, `amazonaws.com.cn`, `amazonaws.eu`.
        domain: String,
        /// The FIPS endpoint was named.
        fips: bool,
    },
    /// `public.ecr.aws`.
    Public,
}

/// Where all of public ECR's API is.
const PUBLIC_REGION: &str = "us-east-1";
/// The partitions' domains.
const DOMAINS: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"];

impl Ecr {
    /// The registry of Amazon's that this host is, if it is one.
    pub fn of(host: &RegistryHost) -> Option<Self> {
        if host.as_str() == "public.ecr.aws" {
            return Some(Self::Public);
        }
        let (account, rest) = host.as_str().split_once(".dkr.")?;
        let (service, rest) = rest.split_once('.')?;
        let (region, domain) = rest.split_once('.')?;
        let fips = match service {
            "ecr" => false,
            "ecr-fips" => true,
            _ => return None,
        };
        let number = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        (number && !region.is_empty() && DOMAINS.contains(&domain)).then(|| Self::Private {
            account: account.into(),
            region: region.into(),
            domain: domain.into(),
            fips,
        })
    }

    /// The region whose endpoints are asked.
    pub fn region(&self) -> &str {
        match self {
            Self::Private { region, .. } => region,
            Self::Public => PUBLIC_REGION,
        }
    }

    /// The partition's domain.
    pub fn domain(&self) -> &str {
        match self {
            Self::Private { domain, .. } => domain,
            Self::Public => DOMAINS[0],
        }
    }
}

/// What somebody has to give for a login at this registry, in words.
pub fn how_to_log_in(host: &RegistryHost) -> String {
    let name = host.as_str();
    let identity = if Ecr::of(host).is_some() {
        "`aws_role`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` in `env:`"
    } else if name.ends_with(".pkg.dev") || name == "gcr.io" || name.ends_with(".gcr.io") {
        "`registry_auth` with `gcp_provider`, or `username` and `password`"
    } else if name.contains(".azurecr.") {
        "`registry_auth` with `azure_client` and `azure_tenant`, or `username` and `password`"
    } else {
        "`username` and `password`, or an entry of `registry_auth`,"
    };
    format!("give {identity} for `{host}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_amazon() {
        let of = |host: &str| Ecr::of(&RegistryHost::parse(host).unwrap());
        let private = |region: &str, domain: &str, fips| {
            let account = "123456789012".into();
            Some(Ecr::Private { account, region: region.into(), domain: domain.into(), fips })
        };
        for (host, expected) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", private("eu-west-1", "amazonaws.com", false)),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                private("cn-north-1", "amazonaws.com.cn", false),
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                private("us-gov-west-1", "amazonaws.com", true),
            ),
            (
                "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
                private("eusc-de-east-1", "amazonaws.eu", false),
            ),
            ("public.ecr.aws", Some(Ecr::Public)),
            ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com:444", None),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None),
            ("evil.example.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("123456789012.dkr.s3.eu-west-1.amazonaws.com", None),
            ("ghcr.io", None),
        ] {
            assert_eq!(of(host), expected, "{host}");
        }
        assert_eq!((Ecr::Public.region(), Ecr::Public.domain()), ("us-east-1", "amazonaws.com"));
    }

    #[test]
    fn each_registry_has_its_own_way_in() {
        for (host, expected) in [
            ("r.io", "give `username` and `password`, or an entry of `registry_auth`, for `r.io`"),
            ("acme.azurecr.io", "give `registry_auth` with `azure_client`"),
            ("europe-docker.pkg.dev", "give `registry_auth` with `gcp_provider`"),
            ("public.ecr.aws", "give `aws_role`"),
        ] {
            assert!(how_to_log_in(&RegistryHost::parse(host).unwrap()).starts_with(expected), "{host}");
        }
    }

    #[test]
    fn keys_do_not_show() {
        let keys = AwsKeys {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("hunter2"),
            session: Some(Secret::new("hunter3")),
        };
        assert!(!format!("{keys:?}").contains("hunter"));
    }
}
