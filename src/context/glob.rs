//! Go's `filepath.Match` on slash-separated names.
//!
//! Two callers need exactly its behaviour, oddities included: a pattern of an ignore file is valid when this accepts it (and Go
//! stops looking for faults at the first mismatch), and a wildcard in a followed path is expanded with it.

/// A pattern that Go's matcher refuses as malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Whether the whole of `name` matches `pattern`. `*`, `?` and classes never match a slash, except that a class may list it.
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let (mut pattern, mut name) = (pattern.as_bytes(), name.as_bytes());
    'chunks: while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        if let Some(tail) = match_chunk(chunk, name)?
            && (tail.is_empty() || !pattern.is_empty())
        {
            name = tail;
            continue;
        }
        if star {
            let reach = name.iter().position(|&byte| byte == b'/').unwrap_or(name.len());
            for skipped in 1..=reach {
                if let Some(tail) = match_chunk(chunk, &name[skipped..])?
                    && (!pattern.is_empty() || tail.is_empty())
                {
                    name = tail;
                    continue 'chunks;
                }
            }
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// Whether `name` holds an unescaped wildcard.
pub fn has_wildcard(name: &str) -> bool {
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// The pattern up to its next star: whether a star came before it, the star-free part, the rest.
fn next_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut at, mut in_class) = (0, false);
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    let at = at.min(pattern.len());
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// Matches a star-free chunk at the start of `name`: what is left of the name, or nothing when it does not match. The chunk is
/// read to its end either way, so that a malformed one is an error.
fn match_chunk<'n>(mut chunk: &[u8], mut name: &'n [u8]) -> Result<Option<&'n [u8]>, BadPattern> {
    let mut failed = false;
    while let Some(&first) = chunk.first() {
        failed |= name.is_empty();
        match first {
            b'[' => {
                let mut subject = '\0';
                if !failed {
                    subject = take_char(&mut name);
                }
                let inside = match_class(&mut chunk, subject)?;
                failed |= !inside;
            }
            b'?' => {
                if !failed {
                    failed = name[0] == b'/';
                    take_char(&mut name);
                }
                chunk = &chunk[1..];
            }
            _ => {
                if first == b'\\' {
                    chunk = &chunk[1..];
                }
                let Some(&literal) = chunk.first() else {
                    return Err(BadPattern);
                };
                if !failed {
                    failed = literal != name[0];
                    name = &name[1..];
                }
                chunk = &chunk[1..];
            }
        }
    }
    Ok((!failed).then_some(name))
}

/// Consumes the class that `chunk` starts with and says whether `subject` is in it.
fn match_class(chunk: &mut &[u8], subject: char) -> Result<bool, BadPattern> {
    *chunk = &chunk[1..];
    let negated = chunk.first() == Some(&b'^');
    if negated {
        *chunk = &chunk[1..];
    }
    let (mut inside, mut ranges) = (false, 0_usize);
    loop {
        if ranges > 0 && chunk.first() == Some(&b']') {
            *chunk = &chunk[1..];
            return Ok(inside != negated);
        }
        let low = class_char(chunk)?;
        let mut high = low;
        if chunk.first() == Some(&b'-') {
            *chunk = &chunk[1..];
            high = class_char(chunk)?;
        }
        inside |= low <= subject && subject <= high;
        ranges += 1;
    }
}

/// One possibly escaped character of a class; something must follow it.
fn class_char(chunk: &mut &[u8]) -> Result<char, BadPattern> {
    if matches!(chunk.first(), None | Some(b'-' | b']')) {
        return Err(BadPattern);
    }
    if chunk[0] == b'\\' {
        *chunk = &chunk[1..];
    }
    if chunk.is_empty() {
        return Err(BadPattern);
    }
    let read = take_char(chunk);
    if chunk.is_empty() { Err(BadPattern) } else { Ok(read) }
}

/// Decodes and consumes the first character; a byte that starts none counts as the replacement character, as in Go.
fn take_char(bytes: &mut &[u8]) -> char {
    let width = match bytes.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 1,
    };
    let decoded = bytes
        .get(..width)
        .and_then(|head| std::str::from_utf8(head).ok())
        .and_then(|text| text.chars().next());
    *bytes = &bytes[if decoded.is_some() { width } else { 1 }..];
    decoded.unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_go() {
        let table: &[(&str, &str, Result<bool, BadPattern>)] = &[
            ("abc", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Ok(false)),
            ("ab[^b-d]", "abc", Ok(false)),
            ("a\\*b", "a*b", Ok(true)),
            ("a?b", "a☺b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("a[", "ab", Err(BadPattern)),
            // Go gives up at the first mismatch and never sees the fault.
            ("x*[", ".", Ok(false)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("a\\", "a", Err(BadPattern)),
            ("*\u{fffd}", "a\u{fffd}", Ok(true)),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(&matches(pattern, name), expected, "{pattern:?} {name:?}");
        }
    }
}
