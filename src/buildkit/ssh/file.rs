//! Files with private keys: OpenSSH's own format (PROTOCOL.key), PKCS#1, SEC 1 and PKCS#8 in PEM.
//!
//! Pure. A key with a passphrase is refused: there is nobody to ask for it.
//!
//! The crate `ssh-key` (tried in 0.6.7) reads the first of these forms only. Of the other three it says "invalid Base64
//! encoding", with a passphrase or without, and what ring wants of an RSA key besides what OpenSSH writes it does not give:
//! of this file [`openssh`] alone would go, for ten crates more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};

use super::key::{CURVES, Curve, Key};
use super::wire::{Reader, without_zeros};

/// Why a file gives no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It needs a passphrase.
    #[error("is protected by a passphrase")]
    Encrypted,
    /// The other half.
    #[error("is a public key")]
    Public,
    /// Something else.
    #[error("is not a private key (expected PEM: `-----BEGIN … PRIVATE KEY-----`)")]
    NoKey,
    /// A key, but of another kind.
    #[error("is a kind of key that is not supported")]
    Unsupported,
    /// A key whose parts do not fit.
    #[error("is damaged")]
    Damaged,
}

impl KeyFault {
    /// What to change.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Encrypted => {
                "remove it from a copy (`ssh-keygen -p -N ''`), or hand over an agent's socket"
            }
            Self::Public => "its name without `.pub` is probably the private key's",
            Self::NoKey => "give the file that `ssh-keygen` made, or an agent's socket",
            Self::Unsupported => {
                "take Ed25519, ECDSA of 256 or 384 bits or RSA of 2048 to 4096 bits; an agent may sign with any key"
            }
            Self::Damaged => "was it copied whole, with its line endings?",
        }
    }
}

/// The key in this file.
pub(super) fn parse(file: &[u8]) -> Result<Key, KeyFault> {
    let text = std::str::from_utf8(file).map_err(|_| KeyFault::NoKey)?;
    let Some((label, body)) = pem(text) else {
        let public =
            text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.contains("PUBLIC KEY-----");
        return Err(if public { KeyFault::Public } else { KeyFault::NoKey });
    };
    if label == "ENCRYPTED PRIVATE KEY" || body.lines().any(|line| line.contains("ENCRYPTED")) {
        return Err(KeyFault::Encrypted);
    }
    let packed: String = body.split_whitespace().collect();
    let data = STANDARD.decode(packed).map_err(|_| KeyFault::Damaged)?;
    match label {
        "OPENSSH PRIVATE KEY" => openssh(&data),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&data).map(Key::rsa).map_err(|_| rejected_rsa(&data)),
        "EC PRIVATE KEY" => sec1(&data),
        "PRIVATE KEY" => pkcs8(&data),
        _ => Err(KeyFault::Unsupported),
    }
}

/// The label and the body of the first private key.
fn pem(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    label.ends_with("PRIVATE KEY").then_some((label, body))
}

fn openssh(data: &[u8]) -> Result<Key, KeyFault> {
    let data = data.strip_prefix(b"openssh-key-v1\0").ok_or(KeyFault::Damaged)?;
    let mut outer = Reader(data);
    let cipher = outer.string().ok_or(KeyFault::Damaged)?;
    if cipher != b"none" {
        return Err(KeyFault::Encrypted);
    }
    let private = (|| {
        let _kdf = outer.string()?;
        let _options = outer.string()?;
        (outer.number()? == 1).then_some(())?;
        let _public = outer.string()?;
        outer.string()
    })();
    let mut inner = Reader(private.ok_or(KeyFault::Damaged)?);
    let checks = (inner.number(), inner.number());
    if checks.0.is_none() || checks.0 != checks.1 {
        return Err(KeyFault::Damaged);
    }
    let mut key = match inner.string().ok_or(KeyFault::Damaged)? {
        b"ssh-ed25519" => openssh_ed25519(&mut inner),
        b"ssh-rsa" => openssh_rsa(&mut inner),
        b"ecdsa-sha2-nistp256" => openssh_ecdsa(&mut inner, &CURVES[0]),
        b"ecdsa-sha2-nistp384" => openssh_ecdsa(&mut inner, &CURVES[1]),
        _ => return Err(KeyFault::Unsupported),
    }?;
    key.comment = String::from_utf8_lossy(inner.string().unwrap_or_default()).into_owned();
    Ok(key)
}

fn openssh_ed25519(inner: &mut Reader<'_>) -> Result<Key, KeyFault> {
    let (public, both) = (inner.string(), inner.string());
    let public = public.ok_or(KeyFault::Damaged)?;
    let (seed, _) = both.and_then(|both| both.split_at_checked(32)).ok_or(KeyFault::Damaged)?;
    Ed25519KeyPair::from_seed_and_public_key(seed, public).map(Key::ed25519).map_err(|_| KeyFault::Damaged)
}

fn openssh_ecdsa(inner: &mut Reader<'_>, curve: &'static Curve) -> Result<Key, KeyFault> {
    let (_curve, public, private) = (inner.string(), inner.string(), inner.unsigned());
    ecdsa(private.ok_or(KeyFault::Damaged)?, public.ok_or(KeyFault::Damaged)?, curve)
}

fn ecdsa(private: &[u8], public: &[u8], curve: &'static Curve) -> Result<Key, KeyFault> {
    let private = without_zeros(private);
    let missing = curve.length.checked_sub(private.len()).ok_or(KeyFault::Damaged)?;
    let padded = [vec![0; missing].as_slice(), private].concat();
    EcdsaKeyPair::from_private_key_and_public_key(curve.algorithm, &padded, public, &SystemRandom::new())
        .map(|pair| Key::ecdsa(pair, curve))
        .map_err(|_| KeyFault::Damaged)
}

fn openssh_rsa(inner: &mut Reader<'_>) -> Result<Key, KeyFault> {
    let mut next = || inner.unsigned().ok_or(KeyFault::Damaged);
    let public_key = PublicKeyComponents { n: next()?, e: next()? };
    let (d, inverse, p, q) = (next()?, next()?, next()?, next()?);
    let (of_p, of_q) = (reduce(d, p), reduce(d, q));
    let parts = KeyPairComponents {
        public_key,
        d,
        p,
        q,
        dP: without_zeros(&of_p),
        dQ: without_zeros(&of_q),
        qInv: inverse,
    };
    RsaKeyPair::from_components(&parts).map(Key::rsa).map_err(|_| of_this_size(public_key.n))
}

/// `number mod (prime - 1)`, which OpenSSH's format leaves to its reader. Bit by bit: it is done once for a key.
fn reduce(number: &[u8], prime: &[u8]) -> Vec<u8> {
    let mut modulus = vec![0];
    modulus.extend(prime);
    if let Some(last) = modulus.last_mut() {
        // Odd, as all primes of a key are.
        *last &= 0xfe;
    }
    let mut rest = vec![0u8; modulus.len()];
    for bit in number.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1)) {
        let mut carry = bit;
        for byte in rest.iter_mut().rev() {
            let high = *byte >> 7;
            *byte = *byte << 1 | carry;
            carry = high;
        }
        if rest >= modulus {
            let mut borrow = false;
            for (byte, other) in rest.iter_mut().zip(&modulus).rev() {
                let (once, first) = byte.overflowing_sub(*other);
                let (twice, second) = once.overflowing_sub(u8::from(borrow));
                (*byte, borrow) = (twice, first || second);
            }
        }
    }
    rest
}

/// Why ring does not take an RSA key with this modulus.
fn of_this_size(modulus: &[u8]) -> KeyFault {
    if (256..=512).contains(&modulus.len()) { KeyFault::Damaged } else { KeyFault::Unsupported }
}

fn rejected_rsa(der: &[u8]) -> KeyFault {
    let modulus = Der(der).enter(0x30).and_then(|mut key| {
        key.take(0x02)?;
        key.take(0x02)
    });
    modulus.map_or(KeyFault::Damaged, |modulus| of_this_size(without_zeros(modulus)))
}

/// RFC 5915: version, private key, curve, public key.
fn sec1(data: &[u8]) -> Result<Key, KeyFault> {
    let parts = Der(data).enter(0x30).and_then(|mut key| {
        key.take(0x02)?;
        let private = key.take(0x04)?;
        let curve = key.enter(0xa0)?.take(0x06)?;
        let public = key.enter(0xa1)?.take(0x03)?;
        Some((private, curve, public.strip_prefix(b"\0")?))
    });
    let (private, oid, public) = parts.ok_or(KeyFault::Damaged)?;
    let curve = CURVES.iter().find(|curve| curve.oid == oid).ok_or(KeyFault::Unsupported)?;
    ecdsa(private, public, curve)
}

fn pkcs8(data: &[u8]) -> Result<Key, KeyFault> {
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(data) {
        return Ok(Key::ed25519(pair));
    }
    if let Ok(pair) = RsaKeyPair::from_pkcs8(data) {
        return Ok(Key::rsa(pair));
    }
    for curve in &CURVES {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve.algorithm, data, &SystemRandom::new()) {
            return Ok(Key::ecdsa(pair, curve));
        }
    }
    Err(KeyFault::Unsupported)
}

/// As much DER as SEC 1 and PKCS#1 need.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81 => (usize::from(*rest.first()?), &rest[1..]),
            0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(content)
    }

    fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders() {
        for (number, prime) in
            [(7u64, 3u64), (1_000_003, 65_537), (5, 101), (0, 7), (u64::MAX, 4_294_967_291)]
        {
            let rest = reduce(&number.to_be_bytes(), without_zeros(&prime.to_be_bytes()));
            let rest = rest.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
            assert_eq!(rest, number % (prime - 1), "{number} {prime}");
        }
    }

    #[test]
    fn what_is_no_key() {
        let fault = |file: &[u8]| parse(file).err();
        let pem =
            |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        assert_eq!(fault(b""), Some(KeyFault::NoKey));
        assert_eq!(fault(b"\xff\xfe"), Some(KeyFault::NoKey));
        assert_eq!(fault(b"ssh-ed25519 AAAA me"), Some(KeyFault::Public));
        assert_eq!(fault(pem("PUBLIC KEY", "AAAA").as_bytes()), Some(KeyFault::Public));
        assert_eq!(fault(pem("CERTIFICATE", "AAAA").as_bytes()), Some(KeyFault::NoKey));
        assert_eq!(fault(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"), Some(KeyFault::NoKey), "cut off");
        assert_eq!(fault(pem("ENCRYPTED PRIVATE KEY", "AAAA").as_bytes()), Some(KeyFault::Encrypted));
        let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
        assert_eq!(fault(pem("RSA PRIVATE KEY", old).as_bytes()), Some(KeyFault::Encrypted));
        assert_eq!(fault(pem("DSA PRIVATE KEY", "AAAA").as_bytes()), Some(KeyFault::Unsupported));
        for label in ["OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            for body in ["", "AAAA", "#", "MIIB", "b3BlbnNzaC1rZXktdjEA", "MIL//w=="] {
                assert_eq!(fault(pem(label, body).as_bytes()), Some(KeyFault::Damaged), "{label} {body}");
            }
        }
    }
}
