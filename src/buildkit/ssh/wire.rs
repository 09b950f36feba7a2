//! The data types of SSH's protocols (RFC 4251, section 5): numbers, strings, integers of any length.

/// Reads a message from its front. `None`: it ends too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// An integer, which must not be negative, without leading zeros.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        let bytes = self.string()?;
        let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
        (!negative).then(|| without_zeros(bytes))
    }
}

/// A message in the making.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, number: usize) {
        self.0.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }

    pub(super) fn string(&mut self, bytes: impl AsRef<[u8]>) {
        self.number(bytes.as_ref().len());
        self.0.extend(bytes.as_ref());
    }

    /// An integer that is not negative, from its big-endian bytes.
    pub(super) fn unsigned(&mut self, bytes: &[u8]) {
        let bytes = without_zeros(bytes);
        let sign = bytes.first().is_some_and(|first| first & 0x80 != 0);
        self.number(bytes.len() + usize::from(sign));
        self.0.extend(sign.then_some(0));
        self.0.extend(bytes);
    }
}

/// Big-endian bytes without the zeros before them.
pub(super) fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_in_the_rfc() {
        for (value, wire) in [
            (&b""[..], &b"\0\0\0\0"[..]),
            (b"\0\0", b"\0\0\0\0"),
            (b"\x09\xa3\x78", b"\0\0\0\x03\x09\xa3\x78"),
            (b"\0\x80", b"\0\0\0\x02\0\x80"),
        ] {
            let mut writer = Writer::default();
            writer.unsigned(value);
            assert_eq!(writer.0, wire);
            assert_eq!(Reader(wire).unsigned().unwrap(), without_zeros(value));
        }
        assert_eq!(Reader(b"\0\0\0\x01\x80").unsigned(), None, "negative");
    }

    #[test]
    fn cut_off() {
        for wire in [&b""[..], b"\0\0\0", b"\0\0\0\x02a", b"\xff\xff\xff\xffabc"] {
            assert_eq!(Reader(wire).string(), None);
        }
        let mut reader = Reader(b"\0\0\0\x01ab");
        assert_eq!((reader.string(), reader.0), (Some(&b"a"[..]), &b"b"[..]));
    }
}
