//! Which proxy a connection takes: the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, read as Go's
//! `golang.org/x/net/http/httpproxy` reads them, so that we go the same way as the tools beside us.
//!
//! Lower case wins over upper case, a value without a scheme is an `http` proxy, this machine itself is never reached
//! through one. Pure but for [`Proxy::tunnel`], which speaks `CONNECT` (RFC 9110 section 9.3.6). SOCKS is not spoken.
//!
//! hyper-util has a matcher and a tunnel (`client::proxy`, tried in 0.1.21), which go by curl's rules, and not in a form
//! that Go's could be put around. Its `NO_PROXY` has no ports and no `*.domain`, takes `.domain` for the domain itself and
//! `*` for names alone; loopback is reached through the proxy. A URL that names no proxy means that there is none, and one
//! of SOCKS is a proxy like others: here both are errors, so that nobody goes past a proxy by a slip. The tunnel drops what
//! follows the proxy's answer in the same packet, and keeps its status to itself, on which another try depends.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use http::Uri;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::model::Secret;

/// The proxies of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    https: Option<Result<Proxy, String>>,
    http: Option<Result<Proxy, String>>,
    direct: Vec<Direct>,
}

/// One proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// It is spoken to through TLS.
    pub tls: bool,
    /// The value of `Proxy-Authorization`, if its URL holds a login.
    login: Option<Secret>,
}

/// Hosts that are reached without a proxy: an entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    All,
    Network(IpAddr, u8),
    Address(IpAddr, Option<u16>),
    /// `suffix` begins with a dot; the domain itself counts too where `itself` is set.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

/// A proxy that did not connect us.
#[derive(Debug, thiserror::Error)]
pub enum TunnelFault {
    /// It answered something else than 200.
    #[error("it answered {0} to CONNECT")]
    Refused(u16),
    /// What it answered is no HTTP.
    #[error("what it answered to CONNECT is not HTTP")]
    NoHttp,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
}

impl Proxies {
    /// From the variables of the environment.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let get = |names: [&str; 2]| {
            names.iter().find_map(|name| variables.get(*name).map(|v| v.trim()).filter(|v| !v.is_empty()))
        };
        let proxy = |names: [&str; 2]| {
            get(names).map(|text| Proxy::parse(text).map_err(|why| format!("`{}` {why}", names[1])))
        };
        Self {
            https: proxy(["https_proxy", "HTTPS_PROXY"]),
            http: proxy(["http_proxy", "HTTP_PROXY"]),
            direct: get(["no_proxy", "NO_PROXY"]).map(direct).unwrap_or_default(),
        }
    }

    /// The proxy for this URL; `None` if it is reached directly.
    ///
    /// # Errors
    /// In words, when the variable that counts names no proxy that can be used.
    pub fn for_url(&self, uri: &Uri) -> Result<Option<&Proxy>, &str> {
        let secure = uri.scheme_str() != Some("http");
        let proxy = if secure { &self.https } else { &self.http };
        let (Some(proxy), Some(host)) = (proxy, uri.host()) else { return Ok(None) };
        if self.is_direct(host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 })) {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(String::as_str)
    }

    fn is_direct(&self, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        // `.localhost` is this machine too (RFC 6761), which no proxy reaches.
        if host == "localhost"
            || host.ends_with(".localhost")
            || address.is_some_and(|address| address.is_loopback())
        {
            return true;
        }
        let at = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        self.direct.iter().any(|direct| match (direct, address) {
            (Direct::All, _) => true,
            (Direct::Network(network, bits), Some(address)) => within(*network, *bits, address),
            (Direct::Address(known, wanted), Some(address)) => *known == address && at(wanted),
            (Direct::Domain { suffix, itself, port: wanted }, None) => {
                (host.ends_with(suffix.as_str()) || (*itself && host == suffix[1..])) && at(wanted)
            }
            _ => false,
        })
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            "socks5" | "socks5h" => {
                return Err("names a SOCKS proxy: only `http://` and `https://` are spoken");
            }
            _ => return Err("names no `http://` or `https://` proxy"),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let invalid = "names no proxy (for example `http://proxy.example.com:3128`)";
        let place: Uri = format!("http://{place}/").parse().map_err(|_| invalid)?;
        let host = place.host().filter(|host| !host.is_empty()).ok_or(invalid)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = place.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let pair = [decoded(user), b":".to_vec(), decoded(password)].concat();
            Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
        });
        Ok(Self { host, port, tls, login })
    }

    /// Asks the proxy behind `stream` for a tunnel to this host; after it the stream is the host's.
    pub async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        host: &str,
        port: u16,
    ) -> Result<(), TunnelFault> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some(login) = &self.login {
            request.push_str("Proxy-Authorization: ");
            request.push_str(login.expose());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut head = Vec::new();
        // One by one: what comes after the head belongs to the host.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == MAX_HEAD {
                return Err(TunnelFault::NoHttp);
            }
            head.push(stream.read_u8().await?);
        }
        let status = std::str::from_utf8(&head).ok().and_then(status).ok_or(TunnelFault::NoHttp)?;
        if status == 200 { Ok(()) } else { Err(TunnelFault::Refused(status)) }
    }
}

/// Most bytes of a proxy's answer before its body.
const MAX_HEAD: usize = 16 * 1024;

fn status(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.")?.split([' ', '\r']).nth(1)?.parse().ok()
}

/// The entries of `NO_PROXY`; what makes no sense is passed over, as Go does.
fn direct(list: &str) -> Vec<Direct> {
    let mut found = Vec::new();
    for entry in list.split(',').map(|entry| entry.trim().to_ascii_lowercase()) {
        if entry == "*" {
            return vec![Direct::All];
        }
        found.extend(direct_entry(&entry));
    }
    found
}

fn direct_entry(entry: &str) -> Option<Direct> {
    if let Some((address, bits)) = entry.split_once('/') {
        let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
        return (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Direct::Network(address, bits));
    }
    if let Ok(address) = entry.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Direct::Address(address, None));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (entry, None),
    };
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Direct::Address(address, port));
    }
    let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    let itself = !host.starts_with('.');
    Some(Direct::Domain { suffix: if itself { format!(".{host}") } else { host.to_owned() }, itself, port })
}

fn within(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let shift = width - u32::from(bits);
    network.checked_shr(shift).unwrap_or(0) == address.checked_shr(shift).unwrap_or(0)
}

/// Percent-encoding undone; what is none stays.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let hex = bytes.get(index + 1..index + 3).filter(|_| *byte == b'%');
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(hex.unwrap_or(*byte));
        index += if hex.is_some() { 3 } else { 1 };
    }
    out
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
