//! A private key that signs: Ed25519, ECDSA with NIST's curves of 256 and 384 bits, RSA of 2048 to 4096 bits.
//!
//! The arithmetic is ring's, which rustls brings anyway and which takes the same time whatever the key is.
//! Therefore no curve of 521 bits and no SHA-1. Formats on the wire: RFC 8709, 5656, 4253 and 8332.

use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair,
};

use super::wire::Writer;

/// Flags of a sign request (draft-ietf-sshm-ssh-agent, "Signature flags").
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// A private key and what is told about it.
pub(super) struct Key {
    /// What the agent calls it.
    pub(super) comment: String,
    /// The public key, as SSH writes it.
    pub(super) public: Vec<u8>,
    signer: Signer,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair, &'static Curve),
    Rsa(Box<RsaKeyPair>),
}

/// A curve with its names.
pub(super) struct Curve {
    /// SSH's: `nistp256`.
    pub(super) name: &'static str,
    /// The name of keys and signatures.
    kind: &'static str,
    /// The DER of its object identifier.
    pub(super) oid: &'static [u8],
    /// Bytes of a private key.
    pub(super) length: usize,
    pub(super) algorithm: &'static EcdsaSigningAlgorithm,
}

/// The curves that ring knows.
pub(super) static CURVES: [Curve; 2] = [
    Curve {
        name: "nistp256",
        kind: "ecdsa-sha2-nistp256",
        oid: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        length: 32,
        algorithm: &ECDSA_P256_SHA256_FIXED_SIGNING,
    },
    Curve {
        name: "nistp384",
        kind: "ecdsa-sha2-nistp384",
        oid: &[0x2b, 0x81, 0x04, 0x00, 0x22],
        length: 48,
        algorithm: &ECDSA_P384_SHA384_FIXED_SIGNING,
    },
];

impl Key {
    pub(super) fn ed25519(pair: Ed25519KeyPair) -> Self {
        let mut public = Writer::default();
        public.string("ssh-ed25519");
        public.string(pair.public_key());
        Self { comment: String::new(), public: public.0, signer: Signer::Ed25519(pair) }
    }

    pub(super) fn ecdsa(pair: EcdsaKeyPair, curve: &'static Curve) -> Self {
        let mut public = Writer::default();
        public.string(curve.kind);
        public.string(curve.name);
        public.string(pair.public_key());
        Self { comment: String::new(), public: public.0, signer: Signer::Ecdsa(pair, curve) }
    }

    pub(super) fn rsa(pair: RsaKeyPair) -> Self {
        let parts: rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
        let mut public = Writer::default();
        public.string("ssh-rsa");
        public.unsigned(&parts.e);
        public.unsigned(&parts.n);
        Self { comment: String::new(), public: public.0, signer: Signer::Rsa(Box::new(pair)) }
    }

    /// The signature, as SSH writes it. `None`: not with these flags.
    pub(super) fn sign(&self, data: &[u8], flags: u32) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let mut blob = Writer::default();
        match &self.signer {
            Signer::Ed25519(pair) => {
                blob.string("ssh-ed25519");
                blob.string(pair.sign(data));
            }
            Signer::Ecdsa(pair, curve) => {
                let signature = pair.sign(&random, data).ok()?;
                let (r, s) = signature.as_ref().split_at_checked(curve.length)?;
                let mut both = Writer::default();
                both.unsigned(r);
                both.unsigned(s);
                blob.string(curve.kind);
                blob.string(both.0);
            }
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                // Without a flag it would be SHA-1, which no server of today takes.
                if flags & RSA_SHA2_512 != 0 {
                    pair.sign(&RSA_PKCS1_SHA512, &random, data, &mut signature).ok()?;
                    blob.string("rsa-sha2-512");
                } else if flags & RSA_SHA2_256 != 0 {
                    pair.sign(&RSA_PKCS1_SHA256, &random, data, &mut signature).ok()?;
                    blob.string("rsa-sha2-256");
                } else {
                    return None;
                }
                blob.string(signature);
            }
        }
        Some(blob.0)
    }
}
