//! Keys that `ssh-keygen` made, in each of its formats: what it says is public, and signatures that ring takes.

use ring::signature::{self, UnparsedPublicKey};

use super::file::parse;
use super::wire::{Reader, Writer, without_zeros};
use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ssh").join(name)
}

fn key(name: &str) -> Result<Key, KeyFault> {
    parse(&std::fs::read(fixture(name)).unwrap())
}

/// The public key and the comment, as in `ssh-keygen`'s `.pub` file.
fn public(name: &str) -> (Vec<u8>, String) {
    use base64::Engine as _;
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    let mut words = text.trim().splitn(3, ' ');
    let blob = words.nth(1).unwrap();
    (base64::engine::general_purpose::STANDARD.decode(blob).unwrap(), words.next().unwrap().to_owned())
}

/// What the agent answers to a request to sign `data`: the kind of signature and the signature.
fn signed(key: Key, data: &[u8], flags: usize) -> Option<(String, Vec<u8>)> {
    let mut request = Writer(vec![13]);
    request.string(&key.public);
    request.string(data);
    request.number(flags);
    let mut framed = Writer::default();
    framed.string(&request.0);
    let answer = agent::answer(&[key], framed.0.into());
    let mut reader = Reader(&answer[4..]);
    if reader.take(1) == Some(&[5]) {
        return None;
    }
    let mut blob = Reader(reader.string().unwrap());
    let kind = String::from_utf8(blob.string().unwrap().to_vec()).unwrap();
    Some((kind, blob.string().unwrap().to_vec()))
}

/// r and s as ring wants them.
fn fixed(signature: &[u8], length: usize) -> Vec<u8> {
    let mut reader = Reader(signature);
    let mut fixed = Vec::new();
    for _ in 0..2 {
        let number = reader.unsigned().unwrap();
        fixed.extend(vec![0; length - number.len()]);
        fixed.extend(number);
    }
    fixed
}

#[test]
fn keys_of_all_formats_sign() {
    for (file, public_file, flags, kind) in [
        ("ed25519", "ed25519.pub", 0, "ssh-ed25519"),
        ("ed25519.pkcs8", "ed25519.pkcs8.pub", 0, "ssh-ed25519"),
        ("ecdsa256", "ecdsa256.pub", 0, "ecdsa-sha2-nistp256"),
        ("ecdsa256.pem", "ecdsa256.pub", 0, "ecdsa-sha2-nistp256"),
        ("ecdsa256.pkcs8", "ecdsa256.pub", 0, "ecdsa-sha2-nistp256"),
        ("ecdsa384", "ecdsa384.pub", 0, "ecdsa-sha2-nistp384"),
        ("ecdsa384.pem", "ecdsa384.pub", 0, "ecdsa-sha2-nistp384"),
        ("ecdsa384.pkcs8", "ecdsa384.pub", 0, "ecdsa-sha2-nistp384"),
        ("rsa2048", "rsa2048.pub", 2, "rsa-sha2-256"),
        ("rsa2048", "rsa2048.pub", 4, "rsa-sha2-512"),
        ("rsa2048.pem", "rsa2048.pub", 4, "rsa-sha2-512"),
        ("rsa2048.pkcs8", "rsa2048.pub", 2, "rsa-sha2-256"),
        ("rsa3072", "rsa3072.pub", 4, "rsa-sha2-512"),
    ] {
        let key = key(file).unwrap_or_else(|fault| panic!("{file} {fault}"));
        let (blob, comment) = public(public_file);
        assert_eq!(key.public, blob, "{file}");
        assert!(key.comment.is_empty() || key.comment == comment, "{file}: {}", key.comment);
        let (signed_as, signature) = signed(key, b"data", flags).unwrap();
        assert_eq!(signed_as, kind, "{file}");
        let mut parts = Reader(&blob);
        let name = parts.string().unwrap();
        match name {
            b"ssh-ed25519" => {
                let public = UnparsedPublicKey::new(&signature::ED25519, parts.string().unwrap());
                public.verify(b"data", &signature).unwrap();
            }
            b"ssh-rsa" => {
                let (e, n) = (parts.unsigned().unwrap(), parts.unsigned().unwrap());
                let algorithm = if flags == 2 {
                    &signature::RSA_PKCS1_2048_8192_SHA256
                } else {
                    &signature::RSA_PKCS1_2048_8192_SHA512
                };
                let public = signature::RsaPublicKeyComponents { n: without_zeros(n), e };
                public.verify(algorithm, b"data", &signature).unwrap();
            }
            _ => {
                let _curve = parts.string().unwrap();
                let point = parts.string().unwrap();
                if kind.ends_with("256") {
                    let public = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                    public.verify(b"data", &fixed(&signature, 32)).unwrap();
                } else {
                    let public = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point);
                    public.verify(b"data", &fixed(&signature, 48)).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_is_not_signed() {
    assert_eq!(signed(key("rsa2048").unwrap(), b"data", 0), None, "SHA-1");
    let mut strange = Writer::default();
    // A request for the key `x`.
    strange.string(b"\x0d\0\0\0\x01x\0\0\0\0\0\0\0\0");
    assert_eq!(agent::answer(&[key("ed25519").unwrap()], strange.0.into()), agent::failure());
}

#[test]
fn keys_that_cannot_be_used() {
    for (file, fault) in [
        ("encrypted", KeyFault::Encrypted),
        ("rsa2048.encrypted-pem", KeyFault::Encrypted),
        ("rsa2048.encrypted-pkcs8", KeyFault::Encrypted),
        ("ed25519.pub", KeyFault::Public),
        ("rsa1024", KeyFault::Unsupported),
        ("ecdsa521", KeyFault::Unsupported),
    ] {
        assert_eq!(key(file).err(), Some(fault), "{file}");
    }
}

#[tokio::test]
async fn every_fault_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let source = |id: &str, keys| SshSource { id: id.into(), keys };
    let sources = vec![
        source("default", SshKeys::Files(vec![fixture("ed25519"), fixture("encrypted"), missing.clone()])),
        source("agent", SshKeys::Agent(missing.clone())),
        source("fine", SshKeys::Files(vec![fixture("rsa2048")])),
    ];
    let faults = Agents::open(sources).await.err().unwrap();
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            format!(
                "`ssh` of the id `default`: the key file `{}` is protected by a passphrase",
                fixture("encrypted").display()
            ),
            format!(
                "`ssh` of the id `default`: the key file `{}` cannot be read (No such file or directory (os error 2))",
                missing.display()
            ),
            format!(
                "`ssh` of the id `agent`: no agent answers on the socket `{}` (No such file or directory (os error 2))",
                missing.display()
            ),
        ]
    );
    assert!(faults.iter().all(|fault| !fault.hint().is_empty()));
}

#[tokio::test]
async fn ids() {
    let source = |id: &str| SshSource { id: id.into(), keys: SshKeys::Files(vec![fixture("ed25519")]) };
    let agents = Agents::open(vec![source("default"), source("other")]).await.ok().unwrap();
    let check = |id: &str| agents.check(&CheckAgentRequest { id: id.into() });
    assert!(check("").is_ok() && check("other").is_ok());
    let unknown = check("unknown").unwrap_err();
    assert_eq!(
        (unknown.code, unknown.message.as_str()),
        (Code::NotFound, "no SSH agent has the id `unknown`")
    );
}
