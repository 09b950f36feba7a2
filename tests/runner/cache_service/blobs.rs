//! Blobs: Azure's Put Blob, Put Block, Put Block List and Get Blob, at addresses that are signed for one of them.

use super::State;
use super::http::{Reply, seal};
use std::collections::BTreeMap;

/// What an address allows until it is taken away.
pub(super) struct Signed {
    pub entry: usize,
    pub permission: char,
}

impl State {
    /// An address for one entry's blob, which reads (`r`) or writes (`w`).
    pub(super) fn signed(&self, entry: usize, permission: char) -> String {
        let sealed = seal(&format!("{entry} {permission}"));
        format!(
            "http://{}/actions-cache/{entry:08x}?se=2999-01-01T00%3A00%3A00Z&sp={permission}&sr=b&sv=2025-11-05&sig={sealed}",
            self.address
        )
    }

    /// What a path and its query allow.
    pub(super) fn opened(&self, path: &str, query: &BTreeMap<String, String>) -> Option<Signed> {
        let entry = usize::from_str_radix(path.strip_prefix("/actions-cache/")?, 16).ok()?;
        let permission = query.get("sp")?.chars().next()?;
        (entry < self.entries.len() && query.get("sig")? == &seal(&format!("{entry} {permission}")))
            .then_some(Signed { entry, permission })
    }

    /// Writes a blob whole, a block of it, or the list that puts its blocks together.
    pub(super) fn put(
        &mut self,
        at: &Signed,
        query: &BTreeMap<String, String>,
        blob_type: Option<&str>,
        body: &[u8],
    ) -> (&'static str, Reply) {
        let entry = &mut self.entries[at.entry];
        let component = query.get("comp").map(String::as_str);
        let what = match component {
            None => "PutBlob",
            Some("block") => "PutBlock",
            _ => "PutBlockList",
        };
        if at.permission != 'w' || entry.committed {
            return (what, Reply::azure(403, "AuthorizationPermissionMismatch"));
        }
        match component {
            None if blob_type != Some("BlockBlob") => {
                return (what, Reply::azure(400, "MissingRequiredHeader"));
            }
            None => entry.bytes = body.to_vec(),
            Some("block") => match query.get("blockid") {
                Some(id) => entry.blocks.push((id.clone(), body.to_vec())),
                None => return (what, Reply::azure(400, "MissingRequiredQueryParameter")),
            },
            Some("blocklist") => {
                let list = String::from_utf8_lossy(body);
                let mut whole = Vec::new();
                for id in list.split("<Latest>").skip(1).filter_map(|rest| rest.split('<').next()) {
                    match entry.blocks.iter().rev().find(|(known, _)| known == id) {
                        Some((_, bytes)) => whole.extend_from_slice(bytes),
                        None => return (what, Reply::azure(400, "InvalidBlockList")),
                    }
                }
                entry.bytes = whole;
                entry.blocks.clear();
            }
            Some(_) => return (what, Reply::azure(400, "InvalidQueryParameterValue")),
        }
        (what, Reply::new(201))
    }

    /// Reads a blob from a byte on, or whole.
    pub(super) fn get(&mut self, at: &Signed, range: Option<&str>, corrupt: bool) -> Reply {
        let entry = &self.entries[at.entry];
        if at.permission != 'r' {
            return Reply::azure(403, "AuthorizationPermissionMismatch");
        }
        let all = entry.bytes.len();
        let Some((first, end)) = range.map_or(Some((0, all)), |range| bounds(range, all)) else {
            return Reply::azure(416, "InvalidRange");
        };
        let mut bytes = entry.bytes[first..end].to_vec();
        if corrupt {
            for byte in &mut bytes {
                *byte ^= 0x5a;
            }
        }
        self.served += bytes.len() as u64;
        let reply = Reply::new(if range.is_some() { 206 } else { 200 });
        let reply = if range.is_some() {
            reply.header("content-range", &format!("bytes {first}-{}/{all}", end.saturating_sub(1)))
        } else {
            reply
        };
        reply.header("x-ms-blob-type", "BlockBlob").header("accept-ranges", "bytes").body(bytes)
    }
}

/// `bytes=FIRST-[LAST]` of a blob of `all` bytes, as first byte and end.
fn bounds(range: &str, all: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    let end = if last.is_empty() { all } else { last.parse::<usize>().ok()?.checked_add(1)?.min(all) };
    (first < end).then_some((first, end))
}
