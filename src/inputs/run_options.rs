//! How build steps run: `network`, `add_hosts`, `ulimit`, `shm_size`, `cgroup_parent`.
//!
//! Obeys docker's own grammar of these options (docker/cli `opts`, docker/go-units, buildx `toBuildkitExtraHosts`).

use std::net::IpAddr;

use super::fault::{Findings, InputFault, shown};
use super::parse;
use super::raw::RawInputs;
use crate::model::{HostAddress, NetworkMode, RunOptions};

/// The limits that Linux has and docker sets.
const ULIMITS: &[&str] = &[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Reads the five inputs, every line of them.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> RunOptions {
    let hosts = parse::entries(&inputs.add_hosts).map(|(_, line)| host(line)).collect::<Vec<_>>();
    let limits = parse::entries(&inputs.ulimit).map(|(_, line)| ulimit(line)).collect::<Vec<_>>();
    let mut ulimits: Vec<(String, i64, i64)> = Vec::new();
    for limit in limits {
        let Some(limit) = findings.take(limit) else { continue };
        if ulimits.iter().any(|(name, ..)| *name == limit.0) {
            findings.faults.push(InputFault::new("ulimit", format!("`{}` is given twice", limit.0)));
        }
        ulimits.push(limit);
    }
    RunOptions {
        network: findings.take(network(&inputs.network)).flatten(),
        add_hosts: hosts.into_iter().filter_map(|host| findings.take(host)).flatten().collect(),
        ulimits,
        shm_size: findings.take(shm_size(&inputs.shm_size)).flatten(),
        cgroup_parent: findings.take(parse::line("cgroup_parent", &inputs.cgroup_parent)).flatten(),
    }
}

/// Reads the network of build steps; nothing for BuildKit's own.
fn network(text: &str) -> Result<Option<NetworkMode>, InputFault> {
    match text.trim() {
        "" | "default" => Ok(None),
        "host" => Ok(Some(NetworkMode::Host)),
        "none" => Ok(Some(NetworkMode::None)),
        other => {
            Err(InputFault::new("network", format!("`{}` is not a network of build steps", shown(other)))
                .hint("write `default`, `host` or `none`"))
        }
    }
}

/// Reads a line of `add_hosts`: `host=ip[,ip]`, `host:ip` or `host=host-gateway`.
fn host(line: &str) -> Result<Vec<(String, HostAddress)>, InputFault> {
    let fault = |message: String| {
        InputFault::new("add_hosts", message)
            .hint("for example `db=10.0.0.5`, `db:[fd00::5]` or `db=host-gateway`")
    };
    let pair = line.split_once('=').or_else(|| line.split_once(':'));
    let Some((host, addresses)) = pair.map(|(host, rest)| (host.trim(), rest.trim())) else {
        return Err(fault(format!("`{}` has no address", shown(line))));
    };
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    {
        return Err(fault(format!("`{}` is not a host name", shown(host))));
    }
    if addresses == "host-gateway" {
        return Ok(vec![(host.to_owned(), HostAddress::Gateway)]);
    }
    let address = |text: &str| {
        let text = text.trim();
        let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let ip: Result<IpAddr, _> = plain.parse();
        ip.map(|ip| (host.to_owned(), HostAddress::Ip(ip)))
            .map_err(|_| fault(format!("`{}` is not an address for `{host}`", shown(text))))
    };
    addresses.split(',').map(address).collect()
}

/// Reads a line of `ulimit`: `name=soft[:hard]`, where `-1` is unlimited.
fn ulimit(line: &str) -> Result<(String, i64, i64), InputFault> {
    let fault = |message: String| InputFault::new("ulimit", message).hint("for example `nofile=1024:2048`");
    let (name, limits) =
        line.split_once('=').ok_or_else(|| fault(format!("`{}` has no `=`", shown(line))))?;
    if !ULIMITS.contains(&name) {
        let message = format!("`{}` is not a limit (these are: {})", shown(name), ULIMITS.join(", "));
        return Err(InputFault::new("ulimit", message));
    }
    let number = |text: &str| {
        let number = text.parse::<i64>().ok().filter(|number| *number >= -1);
        number.ok_or_else(|| fault(format!("`{}` is not a limit for `{name}`", shown(text))))
    };
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(fault(format!("the soft limit of `{name}` is above the hard one")));
    }
    Ok((name.to_owned(), soft, hard))
}

/// Reads a size in bytes as go-units' `RAMInBytes`: a number, maybe with a fraction, and one of `b k m g t p`, also as `kb` or
/// `kib`.
fn shm_size(text: &str) -> Result<Option<u64>, InputFault> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Ok(None);
    }
    let fault = || {
        InputFault::new("shm_size", format!("`{}` is not a size", shown(&text)))
            .hint("for example `64m` or `2gb`")
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(fault()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, digits) = (whole.parse::<u64>(), u32::try_from(fraction.len()).unwrap_or(u32::MAX));
    let bytes = whole.ok().and_then(|whole| whole.checked_mul(1 << shift));
    let part = fraction.parse::<u64>().ok().and_then(|part| part.checked_mul(1 << shift));
    let part = part.and_then(|part| part.checked_div(10_u64.checked_pow(digits)?));
    let size = bytes.zip(part).and_then(|(bytes, part)| bytes.checked_add(part));
    // The kernel counts in signed numbers.
    size.filter(|size| *size > 0 && i64::try_from(*size).is_ok()).map(Some).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, mode) in [
            ("", None),
            ("default", None),
            ("host", Some(NetworkMode::Host)),
            ("none", Some(NetworkMode::None)),
        ] {
            assert_eq!(network(text), Ok(mode));
        }
        assert!(network("bridge").unwrap_err().hint.unwrap().contains("`none`"));
    }

    #[test]
    fn hosts() {
        for (line, expected) in [
            ("db=10.0.0.5", "10.0.0.5"),
            ("db:10.0.0.5", "10.0.0.5"),
            ("db=fd00::5", "fd00::5"),
            ("db:fd00::5", "fd00::5"),
            ("db=[fd00::5]", "fd00::5"),
            ("db:[::1]", "::1"),
        ] {
            assert_eq!(
                host(line),
                Ok(vec![("db".into(), HostAddress::Ip(expected.parse().unwrap()))]),
                "{line}"
            );
        }
        assert_eq!(host("h:host-gateway"), Ok(vec![("h".into(), HostAddress::Gateway)]));
        assert_eq!(host("a=10.0.0.1,fd00::1").unwrap().len(), 2);
        for bad in ["db", "=10.0.0.1", "db=", "db=10.0.0", "a b=10.0.0.1", "db=host", "db=10.0.0.1,"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ulimits() {
        for (line, soft, hard) in [
            ("nofile=1024", 1024, 1024),
            ("nofile=1024:2048", 1024, 2048),
            ("nofile=-1", -1, -1),
            ("nofile=5:-1", 5, -1),
        ] {
            assert_eq!(ulimit(line), Ok(("nofile".into(), soft, hard)));
        }
        for bad in [
            "nofile",
            "files=1",
            "nofile=",
            "nofile=a",
            "nofile=1:2:3",
            "nofile=2:1",
            "nofile=-2",
            "nofile=-1:5",
        ] {
            assert!(ulimit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1", 1),
            ("1024", 1024),
            ("64m", 64 << 20),
            ("2gb", 2 << 30),
            ("2GiB", 2 << 30),
            ("1.5k", 1536),
            ("0.25g", 1 << 28),
            ("8 mb", 8 << 20),
            ("100b", 100),
        ] {
            assert_eq!(shm_size(text), Ok(Some(bytes)), "{text}");
        }
        assert_eq!(shm_size(""), Ok(None));
        for bad in ["0", "m", "-1", "1.2.3m", "12x", "1bb", "99999999999999999999", "9999999p", "1e3", "1 2"]
        {
            assert!(shm_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_line_is_judged() {
        let inputs = RawInputs {
            add_hosts: "a\nb".into(),
            ulimit: "x=1\nnofile=1\nnofile=2".into(),
            network: "x".into(),
            ..RawInputs::default()
        };
        let mut findings = Findings::default();
        read(&inputs, &mut findings);
        let named: Vec<&str> = findings.faults.iter().map(|fault| fault.input.as_str()).collect();
        assert_eq!(named, ["ulimit", "ulimit", "network", "add_hosts", "add_hosts"]);
    }
}
