//! The agent's side of the SSH agent protocol (draft-ietf-sshm-ssh-agent): two requests, and no more.
//!
//! A build step may list keys and have something signed. It may not add or remove keys, lock the agent or
//! use extensions, whoever the agent is (BuildKit's `readOnlyAgent`). Pure.

use bytes::{Buf as _, Bytes, BytesMut};

use super::key::Key;
use super::wire::{Reader, Writer};

/// OpenSSH's limit of one message.
const LIMIT: usize = 256 << 10;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// A message that is longer than any agent takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes the next whole message, with its length before it, off the buffer.
pub(super) fn take_message(buffer: &mut BytesMut) -> Result<Option<Bytes>, TooLong> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > LIMIT {
        return Err(TooLong);
    }
    Ok((buffer.len() >= 4 + length).then(|| buffer.split_to(4 + length).freeze()))
}

/// Whether a build step may ask for this.
pub(super) fn is_allowed(message: &[u8]) -> bool {
    matches!(message.get(4), Some(&(REQUEST_IDENTITIES | SIGN_REQUEST)))
}

/// "No", as an agent says it.
pub(super) fn failure() -> Bytes {
    framed(&[FAILURE])
}

/// The answer of an agent that has these keys.
pub(super) fn answer(keys: &[Key], mut message: Bytes) -> Bytes {
    message.advance(message.len().min(4));
    match message.first() {
        Some(&REQUEST_IDENTITIES) => {
            let mut listed = Writer(vec![IDENTITIES_ANSWER]);
            listed.number(keys.len());
            for key in keys {
                listed.string(&key.public);
                listed.string(&key.comment);
            }
            framed(&listed.0)
        }
        Some(&SIGN_REQUEST) => sign(keys, &message[1..]).map_or_else(failure, |signature| {
            let mut signed = Writer(vec![SIGN_RESPONSE]);
            signed.string(signature);
            framed(&signed.0)
        }),
        _ => failure(),
    }
}

fn sign(keys: &[Key], request: &[u8]) -> Option<Vec<u8>> {
    let mut request = Reader(request);
    let (public, data, flags) = (request.string()?, request.string()?, request.number()?);
    keys.iter().find(|key| key.public == public)?.sign(data, flags)
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = Writer::default();
    framed.string(message);
    framed.0.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_whole() {
        let mut buffer = BytesMut::from(&b"\0\0\0\x01"[..]);
        assert_eq!(take_message(&mut buffer), Ok(None));
        buffer.extend_from_slice(b"\x0b\0\0");
        assert_eq!(take_message(&mut buffer).unwrap().unwrap(), &b"\0\0\0\x01\x0b"[..]);
        assert_eq!(take_message(&mut buffer), Ok(None));
        assert_eq!(take_message(&mut BytesMut::from(&b"\0\x04\0\x01"[..])), Err(TooLong));
    }

    #[test]
    fn only_listing_and_signing() {
        let allowed: Vec<u8> = (0..=255).filter(|kind| is_allowed(&[0, 0, 0, 1, *kind])).collect();
        assert_eq!(allowed, [REQUEST_IDENTITIES, SIGN_REQUEST]);
        assert!(!is_allowed(b"") && !is_allowed(b"\0\0\0\0"));
    }

    #[test]
    fn an_agent_without_keys() {
        let ask = |message: &'static [u8]| answer(&[], Bytes::from_static(message));
        assert_eq!(ask(b"\0\0\0\x01\x0b"), &b"\0\0\0\x05\x0c\0\0\0\0"[..]);
        for refused in
            [&b""[..], b"\0\0\0\0", b"\0\0\0\x01\x0d", b"\0\0\0\x01\x11", b"\0\0\0\x05\x0d\0\0\0\x09"]
        {
            assert_eq!(ask(refused), failure(), "{refused:?}");
        }
    }
}
