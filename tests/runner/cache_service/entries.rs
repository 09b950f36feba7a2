//! Entries: the three methods of `github.actions.results.api.v1.CacheService`.

use super::http::Reply;
use super::{Scope, State};
use serde_json::{Value, json};

/// One entry of the cache, visible once it is committed.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub key: String,
    /// The ref that it belongs to.
    pub scope: String,
    /// Which tool wrote it, in which form.
    pub version: String,
    pub committed: bool,
    pub bytes: Vec<u8>,
    /// Blocks that wait for their list.
    pub blocks: Vec<(String, Vec<u8>)>,
}

impl State {
    /// Answers a method; the keys that it named come first.
    pub(super) fn method(&mut self, name: &str, token: Option<&str>, body: &[u8]) -> (Vec<String>, Reply) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return (Vec::new(), refusal(400, "malformed", "the json request could not be decoded"));
        };
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let key = text("key");
        let restore: Vec<String> = body["restore_keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let keys: Vec<String> = std::iter::once(key.clone()).chain(restore.clone()).collect();
        let known = self.tokens.iter().find(|(known, _)| Some(known.as_str()) == token);
        let Some(scopes) = known.map(|(_, scopes)| scopes.clone()) else {
            return (keys, refusal(401, "unauthenticated", "the token is not one of this service"));
        };
        if key.is_empty() || key.len() > 512 || key.contains(',') || text("version").is_empty() {
            return (
                keys,
                refusal(400, "invalid_argument", "a key of 512 characters at most and a version are needed"),
            );
        }
        let version = text("version");
        let reply = match name {
            "CreateCacheEntry" => self.create(&key, &version, &scopes),
            "FinalizeCacheEntryUpload" => {
                // The protocol's 64-bit numbers may be text.
                let size = &body["size_bytes"];
                let size = size.as_u64().or_else(|| size.as_str().and_then(|text| text.parse().ok()));
                self.finalize(&key, &version, size, &scopes)
            }
            "GetCacheEntryDownloadURL" => self.find(&key, &restore, &version, &scopes),
            _ => refusal(404, "bad_route", "no such method"),
        };
        (keys, reply)
    }

    fn create(&mut self, key: &str, version: &str, scopes: &[Scope]) -> Reply {
        let Some(scope) = writable(scopes) else {
            return refusal(403, "permission_denied", "the token may not write");
        };
        if self.position(key, version, scope).is_some() {
            return refusal(
                409,
                "already_exists",
                "cache entry with the same key, version, and scope already exists",
            );
        }
        self.entries.push(Entry {
            key: key.to_owned(),
            scope: scope.to_owned(),
            version: version.to_owned(),
            ..Entry::default()
        });
        let address = self.signed(self.entries.len() - 1, 'w');
        answer(&json!({ "ok": true, "signed_upload_url": address, "message": "" }))
    }

    fn finalize(&mut self, key: &str, version: &str, size: Option<u64>, scopes: &[Scope]) -> Reply {
        let at = writable(scopes).and_then(|scope| self.position(key, version, scope));
        let Some(at) = at.filter(|at| !self.entries[*at].committed) else {
            return refusal(404, "not_found", "no upload is under way for this key");
        };
        if size != Some(self.entries[at].bytes.len() as u64) {
            return refusal(400, "invalid_argument", "the size is not that of the upload");
        }
        self.entries[at].committed = true;
        answer(&json!({ "ok": true, "entry_id": (at + 1).to_string(), "message": "" }))
    }

    fn find(&self, key: &str, restore: &[String], version: &str, scopes: &[Scope]) -> Reply {
        for scope in scopes.iter().filter(|scope| scope.permission & 1 != 0) {
            let of_scope = || {
                let all = self.entries.iter().enumerate().rev();
                all.filter(|(_, it)| it.committed && it.scope == scope.scope && it.version == version)
            };
            let found = of_scope().find(|(_, it)| it.key == key).or_else(|| {
                restore.iter().find_map(|start| of_scope().find(|(_, it)| it.key.starts_with(start.as_str())))
            });
            if let Some((at, entry)) = found {
                let address = self.signed(at, 'r');
                return answer(
                    &json!({ "ok": true, "signed_download_url": address, "matched_key": entry.key }),
                );
            }
        }
        answer(&json!({ "ok": false, "signed_download_url": "", "matched_key": "" }))
    }

    fn position(&self, key: &str, version: &str, scope: &str) -> Option<usize> {
        self.entries.iter().position(|it| it.key == key && it.version == version && it.scope == scope)
    }
}

/// Where a token writes: its first scope that allows that.
fn writable(scopes: &[Scope]) -> Option<&str> {
    scopes.iter().find(|scope| scope.permission & 2 != 0).map(|scope| scope.scope.as_str())
}

fn answer(value: &Value) -> Reply {
    Reply::json(200, value)
}

/// A Twirp error.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "msg": message }))
}
