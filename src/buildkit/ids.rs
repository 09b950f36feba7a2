//! The names of one build at the daemon.

/// Identities that the caller draws at random, so that two builds at one daemon never meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildIds {
    /// The build: what Solve starts, Status follows.
    pub reference: String,
    /// The session that serves its files and logins.
    pub session: String,
}

impl BuildIds {
    /// From random bytes: 25 characters of `0-9a-z` each, the form of BuildKit's own.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let (one, two) = bytes.split_at(16);
        Self { reference: base36(one), session: base36(two) }
    }
}

fn base36(bytes: &[u8]) -> String {
    let mut number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let mut text = String::with_capacity(25);
    for _ in 0..25 {
        text.extend(char::from_digit((number % 36) as u32, 36));
        number /= 36;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form() {
        let mut bytes = [0; 32];
        assert_eq!(BuildIds::from_random(bytes).session, "0".repeat(25));
        bytes[31] = 37;
        assert_eq!(BuildIds::from_random(bytes).session, format!("11{}", "0".repeat(23)));
        assert_eq!(BuildIds::from_random(bytes).reference, "0".repeat(25));
        let full = BuildIds::from_random([255; 32]);
        assert!(full.reference.len() == 25 && full.reference.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
