//! fsutil's packets as gRPC messages, written by hand into the buffers that go to the wire.
//!
//! Twenty thousand small files are forty thousand messages: encoding them where they will lie saves a copy and several allocations
//! for each. The format is `fsutil/types/wire.proto` and `stat.proto`; a test reads it back with the generated types.

use crate::context::entry::Entry;

/// Bytes before a message on a gRPC stream: not compressed, length.
pub const FRAME: usize = 5;

const KIND: u8 = 1 << 3;
const STAT: u8 = 2 << 3 | 2;
const ID: u8 = 3 << 3;
const DATA: u8 = 4 << 3 | 2;

/// `PacketType` on the wire. `PACKET_STAT` is 0 and therefore not written.
const KIND_REQ: u8 = 1;
const KIND_DATA: u8 = 2;
const KIND_FIN: u8 = 3;
const KIND_ERR: u8 = 4;

/// Appends the announcement of one entry.
pub fn put_stat(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let stat = stat_length(entry);
    put_frame(out, 1 + varint_length(stat as u64) + stat);
    out.push(STAT);
    put_varint(out, stat as u64);
    put_bytes(out, 1, entry.path);
    put_number(out, 2, u64::from(entry.mode));
    // 3 and 4, owner and group, are 0 and so absent.
    put_number(out, 5, entry.size);
    put_number(out, 6, entry.mtime.cast_unsigned());
    put_bytes(out, 7, entry.link);
    put_number(out, 8, u64::from(entry.device_major));
    put_number(out, 9, u64::from(entry.device_minor));
    for (name, value) in entry.xattrs {
        out.push(10 << 3 | 2);
        put_varint(out, xattr_length(name, value) as u64);
        put_bytes(out, 1, name.as_bytes());
        put_bytes(out, 2, value);
    }
}

/// Appends the empty announcement that ends them.
pub fn put_last_stat(out: &mut Vec<u8>) {
    put_frame(out, 0);
}

/// Appends what comes before `length` bytes of content, which the caller appends. No bytes end the file.
pub fn put_data_header(out: &mut Vec<u8>, id: u32, length: usize) {
    put_frame(out, data_header_length(id, length) - FRAME + length);
    out.extend([KIND, KIND_DATA]);
    put_number(out, ID >> 3, u64::from(id));
    if length != 0 {
        out.push(DATA);
        put_varint(out, length as u64);
    }
}

/// What [`put_data_header`] appends.
pub fn data_header_length(id: u32, length: usize) -> usize {
    FRAME + 2 + number_length(u64::from(id)) + number_length(length as u64)
}

/// Appends the question for the content of an announced file.
pub fn put_request(out: &mut Vec<u8>, id: u32) {
    put_frame(out, 2 + number_length(u64::from(id)));
    out.extend([KIND, KIND_REQ]);
    put_number(out, ID >> 3, u64::from(id));
}

/// Appends the answer to the daemon's end of transfer.
pub fn put_fin(out: &mut Vec<u8>) {
    put_frame(out, 2);
    out.extend([KIND, KIND_FIN]);
}

/// Appends the reason why the transfer cannot go on.
pub fn put_error(out: &mut Vec<u8>, message: &str) {
    put_frame(out, 2 + bytes_length(message.as_bytes()));
    out.extend([KIND, KIND_ERR]);
    put_bytes(out, DATA >> 3, message.as_bytes());
}

fn put_frame(out: &mut Vec<u8>, length: usize) {
    out.push(0);
    // Messages are bounded by the chunk size and by what a path and its attributes can be.
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Appends a number in protobuf's variable length.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_number(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(field << 3);
        put_varint(out, value);
    }
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(field << 3 | 2);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn number_length(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint_length(value) }
}

fn bytes_length(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { 1 + varint_length(bytes.len() as u64) + bytes.len() }
}

fn xattr_length(name: &str, value: &[u8]) -> usize {
    bytes_length(name.as_bytes()) + bytes_length(value)
}

fn stat_length(entry: &Entry<'_>) -> usize {
    let xattr = |(name, value): &(String, Vec<u8>)| {
        let length = xattr_length(name, value);
        1 + varint_length(length as u64) + length
    };
    bytes_length(entry.path)
        + number_length(u64::from(entry.mode))
        + number_length(entry.size)
        + number_length(entry.mtime.cast_unsigned())
        + bytes_length(entry.link)
        + number_length(u64::from(entry.device_major))
        + number_length(u64::from(entry.device_minor))
        + entry.xattrs.iter().map(xattr).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::fsutil::types::packet::PacketType;
    use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
    use proptest::prelude::*;
    use prost::Message;

    fn decode(mut wire: &[u8]) -> Vec<Packet> {
        let mut packets = Vec::new();
        while !wire.is_empty() {
            assert_eq!(wire[0], 0);
            let length = u32::from_be_bytes(wire[1..FRAME].try_into().unwrap()) as usize;
            packets.push(Packet::decode(&wire[FRAME..FRAME + length]).unwrap());
            wire = &wire[FRAME + length..];
        }
        packets
    }

    proptest! {
        #[test]
        fn stats_read_back(
            path in ".{0,300}", link in ".{0,40}", mode: u32, size in 0..u64::MAX / 2, mtime: i64, device_major: u32, device_minor: u32,
            xattrs in proptest::collection::vec(("[a-z.]{1,9}", proptest::collection::vec(any::<u8>(), 0..200)), 0..3),
        ) {
            let entry = Entry {
                path: path.as_bytes(), mode, size, mtime, link: link.as_bytes(), device_major, device_minor, xattrs: &xattrs, carrier: None,
            };
            let mut wire = Vec::new();
            put_stat(&mut wire, &entry);
            let expected = Stat {
                path: path.clone(), mode, uid: 0, gid: 0, size: size.cast_signed(), mod_time: mtime, linkname: link.clone(),
                devmajor: device_major.into(), devminor: device_minor.into(), xattrs: xattrs.iter().cloned().collect(),
            };
            prop_assert_eq!(decode(&wire), vec![Packet { stat: Some(expected), ..Packet::default() }]);
        }

        #[test]
        fn data_reads_back(id: u32, data in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut wire = Vec::new();
            put_data_header(&mut wire, id, data.len());
            wire.extend(&data);
            let expected = Packet { r#type: PacketType::PacketData.into(), id, data, stat: None };
            prop_assert_eq!(decode(&wire), vec![expected]);
        }
    }

    #[test]
    fn the_rest_reads_back() {
        let mut wire = Vec::new();
        put_last_stat(&mut wire);
        put_fin(&mut wire);
        put_error(&mut wire, "no");
        let kind = |kind: PacketType, data: &[u8]| Packet {
            r#type: kind.into(),
            data: data.to_vec(),
            ..Packet::default()
        };
        assert_eq!(
            decode(&wire),
            [
                kind(PacketType::PacketStat, b""),
                kind(PacketType::PacketFin, b""),
                kind(PacketType::PacketErr, b"no")
            ]
        );
    }
}
