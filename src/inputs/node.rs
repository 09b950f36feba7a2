//! One line of `builder`: `[platform[,platform]=]address`.
//!
//! Addresses are those of buildx's drivers: `docker`, `docker-container[://name]`, `tcp://host:port` with TLS
//! attributes (buildx `remote` driver: `cacert`, `cert`, `key`, `servername`) and `unix:///path`.

use std::collections::BTreeMap;

use super::fault::{InputFault, shown};
use super::shared::Shared;
use crate::model::attrs::{self, Attrs};
use crate::model::{BuilderAddress, BuilderNode, Platform, Secret, Tls};

const INPUT: &str = "builder";
const TAKES: &str = "`docker`, `docker-container`, `docker-container://name`, `tcp://host:port` or `unix:///path`, each \
                     with or without `platform=` before it";

/// Variables of setup-buildx-action that bring a node's TLS.
pub(super) const TLS_VARIABLES: (&str, &str) = ("BUILDER_NODE_", "_AUTH_TLS_");

/// Reads a line of `builder`, which is entry `index`, from 0. By the index a node's variables are found.
pub(super) fn read(
    index: usize,
    line: &str,
    variables: &BTreeMap<String, Secret>,
    shared: &Shared<'_>,
) -> Result<BuilderNode, InputFault> {
    let (platforms, address) = match line.split_once('=') {
        Some((platforms, address)) if !platforms.contains("://") => (platforms, address.trim()),
        _ => ("", line),
    };
    let mut listed = Vec::new();
    for name in platforms.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let platform = Platform::parse(name).map_err(|error| fault(error.to_string()).hint(TAKES))?;
        if !listed.contains(&platform) {
            listed.push(platform);
        }
    }
    Ok(BuilderNode { address: address_of(index, address, variables, shared)?, platforms: listed })
}

/// Reads the address of the node of entry `index`.
fn address_of(
    index: usize,
    text: &str,
    variables: &BTreeMap<String, Secret>,
    shared: &Shared<'_>,
) -> Result<BuilderAddress, InputFault> {
    if let Some(name) = text.strip_prefix("docker-container://") {
        return container(name);
    }
    if let Some(path) = text.strip_prefix("unix://") {
        return unix(path, shared);
    }
    if text.starts_with("tcp://") {
        return tcp(index, text, variables, shared);
    }
    match text {
        "docker" => Ok(BuilderAddress::Docker),
        "docker-container" => Ok(BuilderAddress::OwnContainer),
        "auto" => Err(fault("`auto` cannot be one of several nodes".into()).hint(TAKES)),
        other => {
            // An attribute may be a value that nobody should see.
            let shown = shown(other.split(',').next().unwrap_or_default());
            Err(fault(format!("`{shown}` is not an address of a builder")).hint(TAKES))
        }
    }
}

fn fault(message: String) -> InputFault {
    InputFault::new(INPUT, message)
}

/// Reads the name of a container that runs BuildKit.
fn container(name: &str) -> Result<BuilderAddress, InputFault> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if first && plain && name.len() <= 128 {
        Ok(BuilderAddress::Container(name.to_owned()))
    } else {
        Err(fault(format!("`{}` is not a name of a container", shown(name))))
    }
}

/// Reads the path of a socket, which has to be there.
fn unix(path: &str, shared: &Shared<'_>) -> Result<BuilderAddress, InputFault> {
    if !path.starts_with('/') {
        let message = format!("`unix://{}` has no absolute path", shown(path));
        return Err(fault(message).hint("for example `unix:///run/buildkit/buildkitd.sock`"));
    }
    let socket = shared.socket(INPUT, path)?.map(BuilderAddress::Unix);
    socket.ok_or_else(|| {
        let path = shown(path);
        fault(format!("there is no socket at `{path}` in the container that this action runs in"))
            .hint("it sees the workspace and `RUNNER_TEMP` only: let buildkitd listen there, or on `tcp://`")
    })
}

/// Reads `tcp://HOST:PORT[,cacert=…,cert=…,key=…,servername=…]`.
fn tcp(
    index: usize,
    text: &str,
    variables: &BTreeMap<String, Secret>,
    shared: &Shared<'_>,
) -> Result<BuilderAddress, InputFault> {
    let (address, attrs) =
        attrs::parse_after_bare(text).map_err(|error| fault(format!("a `tcp://` address: {error}")))?;
    let address = address.unwrap_or_default();
    let place = address.strip_prefix("tcp://").unwrap_or_default();
    let no_address = || {
        fault(format!("`{}` has no host and port", shown(&address)))
            .hint("for example `tcp://builder.internal:1234`; 1234 is buildkitd's usual port")
    };
    let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or_else(no_address)?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(no_address)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let right = bare.map_or_else(
        || !host.is_empty() && host.bytes().all(name),
        |address| address.parse::<std::net::Ipv6Addr>().is_ok(),
    );
    if !right {
        return Err(no_address());
    }
    let tls = tls(index, attrs, variables, shared)?;
    Ok(BuilderAddress::Tcp { host: bare.unwrap_or(host).to_ascii_lowercase(), port, tls })
}

/// Reads what secures the connection to the node of entry `index`, if anything does. An attribute that names a file goes before
/// a variable that holds its text.
fn tls(
    index: usize,
    mut attrs: Attrs,
    variables: &BTreeMap<String, Secret>,
    shared: &Shared<'_>,
) -> Result<Option<Tls>, InputFault> {
    let mut pem = |key: &str| -> Result<Option<String>, InputFault> {
        let (prefix, infix) = TLS_VARIABLES;
        let variable = format!("{prefix}{index}{infix}{}", key.to_ascii_uppercase());
        let (what, text) = match (attrs.remove(key), variables.get(&variable)) {
            (Some(path), _) => (format!("`{key}={}`", shown(&path)), shared.text(INPUT, &path)?),
            (None, Some(text)) if !text.is_empty() => (format!("`{variable}`"), text.expose().to_owned()),
            _ => return Ok(None),
        };
        if text.contains("-----BEGIN ") {
            Ok(Some(text))
        } else {
            Err(fault(format!("{what} is not PEM")).hint("it starts with `-----BEGIN`"))
        }
    };
    let (ca, certificate, key) = (pem("cacert")?, pem("cert")?, pem("key")?);
    let server_name = attrs.remove("servername");
    if let Some(unknown) = attrs.keys().next() {
        let message = format!("`{}` is not an attribute of a `tcp://` address", shown(unknown));
        return Err(fault(message).hint("these are `cacert`, `cert`, `key` and `servername`"));
    }
    match (&certificate, &key) {
        (Some(_), None) => return Err(fault("`cert` is given without its `key`".into())),
        (None, Some(_)) => return Err(fault("`key` is given without its `cert`".into())),
        _ => {}
    }
    let any = ca.is_some() || certificate.is_some() || server_name.is_some();
    Ok(any.then(|| Tls { ca, certificate, key: key.map(Secret::new), server_name }))
}
