//! Identities in the inputs and among the variables: who may be asked for which registry's login.
//!
//! An identity is taken for the registries of its own cloud only: a login that it buys is sent to no other host. Names
//! that become parts of a URL are checked here.

use std::collections::BTreeMap;

use crate::model::{AwsIdentity, AwsKeys, Ecr, IdentityKind, RegistryHost, Secret};

use super::fault::shown;

/// How long Docker Hub's login is asked to live: longer than most builds. Five minutes, its own default, end in them.
const DOCKER_HUB_SECONDS: u32 = 3600;

/// Why the keys of an entry name no identity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoIdentity {
    /// In words, what is wrong with them.
    Wrong(String),
    /// In words, what is empty that a secret or a variable should have filled.
    Missing(String),
}

impl From<String> for NoIdentity {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// The ways to name an identity: by which key, and what may stand beside it.
const WAYS: [(&str, &[&str]); 4] = [
    ("aws_role", &["aws_role", "region"]),
    ("gcp_provider", &["gcp_provider", "gcp_service_account"]),
    ("azure_client", &["azure_client", "azure_tenant"]),
    ("connection_id", &["connection_id", "username"]),
];

/// What an entry says, by its keys: a key that is written may be empty, which is what an expression leaves whose secret is not
/// there. It counts as not written where something else is a login.
#[derive(Clone, Copy)]
pub(super) struct Written<'a>(pub &'a [(&'a str, String)]);

impl<'a> Written<'a> {
    /// What a key says, if it says something.
    pub(super) fn get(self, key: &str) -> Option<&'a str> {
        let value = self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str());
        value.filter(|value| !value.trim().is_empty())
    }

    /// Whether a key is there and says nothing.
    pub(super) fn is_empty(self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == key) && self.get(key).is_none()
    }

    /// The keys that say something.
    fn given(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.iter().map(|(name, _)| *name).filter(move |name| self.get(name).is_some())
    }

    /// What a key says that has to say something.
    fn required(self, key: &str) -> Result<&'a str, NoIdentity> {
        self.get(key).ok_or_else(|| {
            if self.is_empty(key) {
                NoIdentity::Missing(format!("`{key}` is empty"))
            } else {
                NoIdentity::Wrong(format!("`{key}` is missing"))
            }
        })
    }
}

/// The identity that the keys of an entry name; none if they are a user name and a password, or nothing.
///
/// # Errors
/// What is wrong with them, or missing.
pub(super) fn of_entry(
    host: &RegistryHost,
    written: Written<'_>,
    aws: Option<&AwsKeys>,
) -> Result<Option<IdentityKind>, NoIdentity> {
    let required = |key| written.required(key);
    let Some((way, with)) = WAYS.iter().find(|(way, _)| written.get(way).is_some()) else {
        return by_nothing_named(host, written, aws);
    };
    if let Some(other) = written.given().find(|key| !with.contains(key)) {
        return Err(format!("`{other}` and `{way}` are two ways to log in: give one of them").into());
    }
    let kind = match *way {
        "aws_role" => {
            let kind = aws_role(host, required("aws_role")?)?;
            if let IdentityKind::Ecr { ecr, .. } = &kind {
                region(ecr, written.get("region"))?;
            }
            kind
        }
        "gcp_provider" => google(host, required("gcp_provider")?, written.get("gcp_service_account"))?,
        "azure_client" => azure(host, required("azure_client")?, required("azure_tenant")?)?,
        _ => docker_hub(host, required("username")?, required("connection_id")?)?,
    };
    Ok(Some(kind))
}

/// The identity of an entry that names none: that of the job's environment, where the entry is no other login.
fn by_nothing_named(
    host: &RegistryHost,
    written: Written<'_>,
    aws: Option<&AwsKeys>,
) -> Result<Option<IdentityKind>, NoIdentity> {
    let ecr = Ecr::of(host);
    let is_login = ["username", "password"].iter().all(|key| written.get(key).is_some());
    let empty = WAYS.iter().find(|(way, _)| written.is_empty(way)).filter(|_| !is_login);
    let says_nothing = written.given().all(|key| key == "region");
    if let (true, Some(ecr), Some(keys)) = (says_nothing, &ecr, aws) {
        region(ecr, written.get("region"))?;
        return Ok(Some(IdentityKind::Ecr { ecr: ecr.clone(), by: AwsIdentity::Keys(keys.clone()) }));
    }
    if let Some((way, _)) = empty {
        return Err(NoIdentity::Missing(format!("`{way}` is empty")));
    }
    let alone =
        [("region", "aws_role"), ("gcp_service_account", "gcp_provider"), ("azure_tenant", "azure_client")];
    for (key, other) in alone {
        if written.get(key).is_some() && !(key == "region" && ecr.is_some()) {
            return Err(format!("`{key}` is given without `{other}`").into());
        }
    }
    let says_login = written.is_empty("username") || written.is_empty("password");
    if says_nothing && ecr.is_some() && !says_login {
        // They are in `env:`, from secrets.
        return Err(NoIdentity::Missing(
            "no login: give `aws_role`, or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` in `env:`"
                .into(),
        ));
    }
    Ok(None)
}

fn region(ecr: &Ecr, given: Option<&str>) -> Result<(), String> {
    match given {
        Some(region) if region != ecr.region() => Err(format!(
            "`region` is `{}`, but the host is in `{}`: leave `region` out",
            shown(region),
            ecr.region()
        )),
        _ => Ok(()),
    }
}

/// The role of this ARN at a registry of Amazon's.
pub(super) fn aws_role(host: &RegistryHost, arn: &str) -> Result<IdentityKind, String> {
    let ecr = Ecr::of(host).ok_or_else(|| {
        format!(
            "`aws_role` is for Amazon ECR, which `{host}` is not: its hosts are \
             `<account>.dkr.ecr.<region>.amazonaws.com` and `public.ecr.aws`"
        )
    })?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let good = match parts[..] {
        ["arn", partition, "iam", "", account, role] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
                && !arn.contains(|c: char| c.is_control() || c.is_whitespace())
        }
        _ => false,
    };
    if !good {
        return Err(format!(
            "`aws_role` is `{}`, which is not an ARN of a role, such as `arn:aws:iam::123456789012:role/push`",
            shown(arn)
        ));
    }
    Ok(IdentityKind::Ecr { ecr, by: AwsIdentity::Role(arn.to_owned()) })
}

/// A user name and a password at a registry of Amazon's that are an access key: ECR itself takes no such login.
pub(super) fn access_key(host: &RegistryHost, username: &str, password: &Secret) -> Option<IdentityKind> {
    let ecr = Ecr::of(host)?;
    let key = username.len() >= 16
        && (username.starts_with("AKIA") || username.starts_with("ASIA"))
        && username.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let keys = AwsKeys { id: username.to_owned(), secret: password.clone(), session: None };
    key.then_some(IdentityKind::Ecr { ecr, by: AwsIdentity::Keys(keys) })
}

/// AWS's keys among the variables.
pub(super) fn aws_keys(variables: &BTreeMap<String, Secret>) -> Option<AwsKeys> {
    let get = |name: &str| {
        let value = variables.get(name).map(|value| value.expose().trim())?;
        (!value.is_empty()).then_some(value)
    };
    let (id, secret) = (get("AWS_ACCESS_KEY_ID")?, get("AWS_SECRET_ACCESS_KEY")?);
    let session = get("AWS_SESSION_TOKEN").map(Secret::new);
    Some(AwsKeys { id: id.to_owned(), secret: Secret::new(secret), session })
}

fn google(host: &RegistryHost, provider: &str, account: Option<&str>) -> Result<IdentityKind, String> {
    let name = host.as_str();
    if !(name.ends_with(".pkg.dev") || name == "gcr.io" || name.ends_with(".gcr.io")) {
        return Err(format!(
            "`gcp_provider` is for Google's registries, which `{host}` is not: their hosts end in `.pkg.dev` or `gcr.io`"
        ));
    }
    let plain = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let parts: Vec<&str> = provider.split('/').collect();
    let good =
        matches!(parts[..], ["projects", _, "locations", _, "workloadIdentityPools", _, "providers", _])
            && parts.iter().all(plain);
    if !good {
        return Err(format!(
            "`gcp_provider` is `{}`, which is not a provider, such as \
             `projects/123456789/locations/global/workloadIdentityPools/github/providers/acme`",
            shown(provider)
        ));
    }
    if let Some(account) = account {
        let email = account.bytes().all(|b| b.is_ascii_alphanumeric() || b"@.-_".contains(&b));
        if !email || account.matches('@').count() != 1 {
            return Err(format!(
                "`gcp_service_account` is `{}`, which is not a service account, such as \
                 `push@acme.iam.gserviceaccount.com`",
                shown(account)
            ));
        }
    }
    let (provider, service_account) = (provider.to_owned(), account.map(str::to_owned));
    Ok(IdentityKind::Google { provider, service_account })
}

fn azure(host: &RegistryHost, client: &str, tenant: &str) -> Result<IdentityKind, String> {
    if ![".azurecr.io", ".azurecr.cn", ".azurecr.us"].iter().any(|end| host.as_str().ends_with(end)) {
        return Err(format!(
            "`azure_client` is for Azure Container Registry, which `{host}` is not: its hosts end in `.azurecr.io`"
        ));
    }
    for (key, text) in [("azure_client", client), ("azure_tenant", tenant)] {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
        if !plain || text.contains("..") || text.starts_with('.') {
            return Err(format!(
                "`{key}` is `{}`, which is not an id, such as `00000000-0000-0000-0000-000000000000`",
                shown(text)
            ));
        }
    }
    Ok(IdentityKind::Azure { client: client.to_owned(), tenant: tenant.to_owned() })
}

/// Docker's own registries: Docker Hub and its hardened images.
pub(super) fn docker_hub(
    host: &RegistryHost,
    username: &str,
    connection: &str,
) -> Result<IdentityKind, String> {
    if !is_dockers(host) {
        return Err(format!(
            "`connection_id` is for Docker Hub, which `{host}` is not: its host is `docker.io`"
        ));
    }
    let uuid = connection.len() == 36 && connection.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !uuid {
        return Err(format!(
            "`connection_id` is `{}`, which is not an id of an OIDC connection, such as \
             `00000000-0000-4000-8000-000000000000`",
            shown(connection)
        ));
    }
    if username.contains(|c: char| c == ':' || c.is_control()) {
        return Err("`username` has a `:` or a control character".into());
    }
    let (username, connection) = (username.to_owned(), connection.to_owned());
    Ok(IdentityKind::DockerHub { username, connection, lifetime: DOCKER_HUB_SECONDS })
}

/// Whether Docker's OIDC connections are good there.
pub(super) fn is_dockers(host: &RegistryHost) -> bool {
    matches!(host.as_str(), RegistryHost::DOCKER_HUB | "dhi.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of identity, `-` for none, `!…` for what is wrong, `?…` for what is missing.
    fn entry(host: &str, pairs: &[(&str, &str)], aws: Option<&AwsKeys>) -> String {
        let host = RegistryHost::parse(host).unwrap();
        let written: Vec<(&str, String)> =
            pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        match of_entry(&host, Written(&written), aws) {
            Ok(None) => "-".into(),
            Ok(Some(IdentityKind::Ecr { by: AwsIdentity::Role(role), .. })) => role,
            Ok(Some(IdentityKind::Ecr { by: AwsIdentity::Keys(keys), .. })) => keys.id,
            Ok(Some(IdentityKind::Google { service_account, .. })) => {
                service_account.unwrap_or("itself".into())
            }
            Ok(Some(IdentityKind::Azure { client, tenant })) => format!("{client}@{tenant}"),
            Ok(Some(IdentityKind::DockerHub { username, .. })) => username,
            Err(NoIdentity::Wrong(why)) => format!("!{why}"),
            Err(NoIdentity::Missing(why)) => format!("?{why}"),
        }
    }

    const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const ROLE: &str = "arn:aws:iam::123456789012:role/push";
    const PROVIDER: &str = "projects/1/locations/global/workloadIdentityPools/github/providers/acme";
    const ID: &str = "00000000-0000-4000-8000-000000000000";

    #[test]
    fn identities_belong_to_their_cloud() {
        let keys = AwsKeys { id: "AKIA".into(), secret: Secret::new("s"), session: None };
        let account = "push@acme.iam.gserviceaccount.com";
        for (host, pairs, expected) in [
            (ECR, &[("aws_role", ROLE)][..], ROLE),
            ("public.ecr.aws", &[("aws_role", ROLE)], ROLE),
            (ECR, &[("aws_role", ROLE), ("region", "eu-west-1")], ROLE),
            (ECR, &[], "AKIA"),
            (ECR, &[("region", "eu-west-1")], "AKIA"),
            (ECR, &[("username", "AWS"), ("password", "x")], "-"),
            ("ghcr.io", &[], "-"),
            ("europe-docker.pkg.dev", &[("gcp_provider", PROVIDER)], "itself"),
            ("gcr.io", &[("gcp_provider", PROVIDER), ("gcp_service_account", account)], account),
            (
                "acme.azurecr.io",
                &[("azure_client", ID), ("azure_tenant", "acme.example")],
                &format!("{ID}@acme.example"),
            ),
            ("docker.io", &[("username", "acme"), ("connection_id", ID)], "acme"),
            ("dhi.io", &[("username", "acme"), ("connection_id", ID)], "acme"),
            // For somebody else's host, or said wrongly.
            ("ghcr.io", &[("aws_role", ROLE)], "!`aws_role` is for Amazon ECR, which `ghcr.io` is not"),
            (ECR, &[("aws_role", "push")], "!`aws_role` is `push`, which is not an ARN"),
            (ECR, &[("aws_role", "arn:aws:iam::123456789012:user/x")], "!`aws_role` is `arn"),
            (
                ECR,
                &[("aws_role", ROLE), ("region", "us-east-1")],
                "!`region` is `us-east-1`, but the host is in `eu-west-1`",
            ),
            (ECR, &[("aws_role", ROLE), ("password", "x")], "!`password` and `aws_role` are two ways"),
            ("ghcr.io", &[("region", "x")], "!`region` is given without `aws_role`"),
            ("evil.example", &[("gcp_provider", PROVIDER)], "!`gcp_provider` is for Google's"),
            ("pkg.dev.evil.example", &[("gcp_provider", PROVIDER)], "!`gcp_provider` is for Google's"),
            ("x.pkg.dev", &[("gcp_provider", "github")], "!`gcp_provider` is `github`"),
            (
                "x.pkg.dev",
                &[("gcp_provider", PROVIDER), ("gcp_service_account", "a/../b@c")],
                "!`gcp_service_account` is",
            ),
            ("x.pkg.dev", &[("gcp_service_account", account)], "!`gcp_service_account` is given without"),
            ("acme.azurecr.io", &[("azure_client", ID)], "!`azure_tenant` is missing"),
            (
                "acme.azurecr.io",
                &[("azure_client", ID), ("azure_tenant", "a/../b")],
                "!`azure_tenant` is `a/../b`",
            ),
            (
                "azurecr.io.evil.example",
                &[("azure_client", ID), ("azure_tenant", "t")],
                "!`azure_client` is for Azure",
            ),
            ("ghcr.io", &[("username", "acme"), ("connection_id", ID)], "!`connection_id` is for Docker Hub"),
            ("docker.io", &[("username", "acme"), ("connection_id", "1")], "!`connection_id` is `1`"),
            ("docker.io", &[("connection_id", ID)], "!`username` is missing"),
        ] {
            let found = entry(host, pairs, Some(&keys));
            let matches =
                if expected.starts_with('!') { found.starts_with(expected) } else { found == expected };
            assert!(matches, "{host} {pairs:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn what_is_empty_is_missing_and_not_wrong() {
        let keys = AwsKeys { id: "AKIA".into(), secret: Secret::new("s"), session: None };
        let account = "push@acme.iam.gserviceaccount.com";
        for (host, pairs, aws, expected) in [
            (ECR, &[("aws_role", "")][..], None, "?`aws_role` is empty"),
            (ECR, &[("aws_role", " "), ("region", "eu-west-1")], None, "?`aws_role` is empty"),
            (ECR, &[("aws_role", "")], Some(&keys), "AKIA"),
            (ECR, &[("aws_role", ""), ("username", "AWS"), ("password", "x")], None, "-"),
            (ECR, &[("username", ""), ("password", "")], None, "-"),
            (ECR, &[], None, "?no login: give `aws_role`, or set `AWS_ACCESS_KEY_ID`"),
            ("x.pkg.dev", &[("gcp_provider", "")], None, "?`gcp_provider` is empty"),
            (
                "x.pkg.dev",
                &[("gcp_provider", ""), ("gcp_service_account", account)],
                None,
                "?`gcp_provider` is empty",
            ),
            ("x.pkg.dev", &[("gcp_provider", PROVIDER), ("gcp_service_account", "")], None, "itself"),
            ("a.azurecr.io", &[("azure_client", ""), ("azure_tenant", "")], None, "?`azure_client` is empty"),
            ("a.azurecr.io", &[("azure_client", ID), ("azure_tenant", "")], None, "?`azure_tenant` is empty"),
            ("a.azurecr.io", &[("azure_client", ""), ("azure_tenant", ID)], None, "?`azure_client` is empty"),
            ("docker.io", &[("username", "acme"), ("connection_id", "")], None, "?`connection_id` is empty"),
            ("docker.io", &[("username", ""), ("connection_id", ID)], None, "?`username` is empty"),
            // One of two that is empty is not meant.
            ("docker.io", &[("username", "u"), ("password", "x"), ("connection_id", "")], None, "-"),
            ("docker.io", &[("username", "acme"), ("password", ""), ("connection_id", ID)], None, "acme"),
            // Wrong in every run.
            ("ghcr.io", &[("aws_role", ROLE), ("password", "")], None, "!`aws_role` is for Amazon ECR"),
            ("a.azurecr.io", &[("azure_client", ID)], None, "!`azure_tenant` is missing"),
        ] {
            let found = entry(host, pairs, aws);
            assert!(found.starts_with(expected), "{host} {pairs:?}: {found}, not {expected}");
        }
    }

    #[test]
    fn access_keys_are_known_by_their_shape() {
        let (ecr, other) = (RegistryHost::parse(ECR).unwrap(), RegistryHost::parse("r.io").unwrap());
        let secret = Secret::new("s");
        assert!(access_key(&ecr, "AKIAIOSFODNN7EXAMPLE", &secret).is_some());
        assert!(access_key(&ecr, "AWS", &secret).is_none());
        assert!(access_key(&other, "AKIAIOSFODNN7EXAMPLE", &secret).is_none());
    }
}
