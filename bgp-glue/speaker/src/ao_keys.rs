//! The keys of the TCP Authentication Option (RFC 5925), as a file has them.
//!
//! A line is a key: `SEND-ID RECEIVE-ID ALGORITHM SECRET`. The first key is the one that the neighbor is asked to sign
//! with. Keys change without a lost segment when both ends add the new one behind the old one, then put it first, then
//! remove the old one: at each step each end knows what the other one signs with.
//!
//! Always: no two keys share an identifier, and nothing that is printed has a secret in it, be it in the wrong place.
//! Sources: RFC 5925 section 3.1, RFC 5926 section 3.2.

use std::fmt;
use std::sync::Arc;

/// How segments are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AoAlgorithm {
    /// RFC 5926 section 3.2.1.
    HmacSha1,
    /// RFC 5926 section 3.2.2.
    AesCmac,
    /// In no RFC, and yet in most routers.
    HmacSha256,
}

/// One key. Two octets that name it on the wire, and what it signs with.
#[derive(Clone, PartialEq, Eq)]
pub struct AoKey {
    /// Its name in what we send.
    pub send_id: u8,
    /// Its name in what we receive.
    pub receive_id: u8,
    /// How it signs.
    pub algorithm: AoAlgorithm,
    /// 1 to 80 octets.
    pub(crate) secret: Arc<str>,
}

/// The keys of a neighbor, the one to use first; at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct AoKeys(Arc<[AoKey]>);

/// Why a text is no list of keys. What stands in the wrong place may be a secret, so nothing is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAoKeys {
    /// No key.
    #[error("no key in it: write one a line, SEND-ID RECEIVE-ID ALGORITHM SECRET")]
    None,
    /// Not four words.
    #[error("line {line} has {words} words: write SEND-ID RECEIVE-ID ALGORITHM SECRET")]
    Words {
        /// Which, from 1.
        line: usize,
        /// How many there are.
        words: usize,
    },
    /// Not an identifier.
    #[error("line {line}: {what} is no number from 0 to 255")]
    Id {
        /// Which, from 1.
        line: usize,
        /// SEND-ID or RECEIVE-ID.
        what: &'static str,
    },
    /// Not an algorithm.
    #[error("line {line}: unknown ALGORITHM: write hmac-sha-1-96, aes-128-cmac-96 or hmac-sha-256-128")]
    Algorithm {
        /// Which, from 1.
        line: usize,
    },
    /// Too long for the kernel.
    #[error("line {line}: a SECRET of {octets} octets: use 1 to {}", AoKeys::LIMIT)]
    Secret {
        /// Which, from 1.
        line: usize,
        /// How long it is.
        octets: usize,
    },
    /// Two keys that cannot be told apart.
    #[error("line {line}: {what} {id} is that of line {first} too: each key has its own two")]
    Twice {
        /// Which, from 1.
        line: usize,
        /// SEND-ID or RECEIVE-ID.
        what: &'static str,
        /// The number.
        id: u8,
        /// Where it was before.
        first: usize,
    },
}

impl AoAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HmacSha1, Self::AesCmac, Self::HmacSha256];

    /// Its name in a file: the function, and the bits of its signature.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha-1-96",
            Self::AesCmac => "aes-128-cmac-96",
            Self::HmacSha256 => "hmac-sha-256-128",
        }
    }
}

impl AoKeys {
    /// The most octets of a secret that the kernel takes.
    pub const LIMIT: usize = 80;

    /// Reads a file. Empty lines and those that begin with `#` do not count.
    ///
    /// # Errors
    ///
    /// The first line that is no key, or that there is none.
    pub fn parse(text: &str) -> Result<Self, BadAoKeys> {
        let mut keys: Vec<(usize, AoKey)> = Vec::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let key = AoKey::parse(line, text)?;
            for (first, known) in &keys {
                let twice = |what, id| BadAoKeys::Twice { line, what, id, first: *first };
                if known.send_id == key.send_id {
                    return Err(twice("SEND-ID", key.send_id));
                }
                if known.receive_id == key.receive_id {
                    return Err(twice("RECEIVE-ID", key.receive_id));
                }
            }
            keys.push((line, key));
        }
        if keys.is_empty() {
            return Err(BadAoKeys::None);
        }
        Ok(Self(keys.into_iter().map(|(_, key)| key).collect()))
    }

    /// The keys, the one to use first.
    pub fn as_slice(&self) -> &[AoKey] {
        &self.0
    }

    /// Whether a key of one shares an identifier with a key of the other.
    pub(crate) fn overlap(&self, other: &Self) -> bool {
        self.0.iter().any(|key| other.0.iter().any(|one| one.is_named_like(key)))
    }

    /// Whether a connection can go from these to those: no identifier gets another meaning on the way.
    pub(crate) fn can_become(&self, other: &Self) -> bool {
        self.0.iter().all(|old| other.0.iter().all(|new| new == old || !new.is_named_like(old)))
    }
}

impl AoKey {
    fn parse(line: usize, text: &str) -> Result<Self, BadAoKeys> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [send_id, receive_id, algorithm, secret] = words[..] else {
            return Err(BadAoKeys::Words { line, words: words.len() });
        };
        let id = |what, word: &str| word.parse().map_err(|_| BadAoKeys::Id { line, what });
        let (send_id, receive_id) = (id("SEND-ID", send_id)?, id("RECEIVE-ID", receive_id)?);
        let known = AoAlgorithm::ALL.into_iter().find(|known| known.name() == algorithm);
        let algorithm = known.ok_or(BadAoKeys::Algorithm { line })?;
        if secret.len() > AoKeys::LIMIT {
            return Err(BadAoKeys::Secret { line, octets: secret.len() });
        }
        Ok(Self { send_id, receive_id, algorithm, secret: secret.into() })
    }

    pub(crate) fn is_named_like(&self, other: &Self) -> bool {
        self.send_id == other.send_id || self.receive_id == other.receive_id
    }
}

impl fmt::Display for AoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.send_id, self.receive_id, self.algorithm.name())
    }
}

impl fmt::Debug for AoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for AoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> AoKeys {
        AoKeys::parse(text).unwrap()
    }

    #[test]
    fn file_has_a_key_a_line_and_no_secret_shows() {
        let read = keys(
            "# new\n7 8 aes-128-cmac-96 hush\n\n  1\t2  hmac-sha-256-128 quiet \r\n3 3 hmac-sha-1-96 x\n",
        );
        assert_eq!(format!("{read:?}"), "[7/8 aes-128-cmac-96, 1/2 hmac-sha-256-128, 3/3 hmac-sha-1-96]");
        assert_eq!(&*read.0[1].secret, "quiet");
        assert_ne!(read, keys("7 8 aes-128-cmac-96 other"));
    }

    #[test]
    fn what_is_no_key_is_said_with_its_line_and_never_quoted() {
        let long = format!("1 1 hmac-sha-1-96 {}", "x".repeat(81));
        let rows = [
            ("\n# nothing\n", "no key in it: write one a line, SEND-ID RECEIVE-ID ALGORITHM SECRET"),
            ("1 2 hmac-sha-1-96", "line 1 has 3 words: write SEND-ID RECEIVE-ID ALGORITHM SECRET"),
            ("hush", "line 1 has 1 words: write SEND-ID RECEIVE-ID ALGORITHM SECRET"),
            ("1 2 hmac-sha-1-96 hush hush", "line 1 has 5 words: write SEND-ID RECEIVE-ID ALGORITHM SECRET"),
            ("hush 2 hmac-sha-1-96 1", "line 1: SEND-ID is no number from 0 to 255"),
            ("1 256 hmac-sha-1-96 hush", "line 1: RECEIVE-ID is no number from 0 to 255"),
            ("-1 2 hmac-sha-1-96 hush", "line 1: SEND-ID is no number from 0 to 255"),
            (
                "\n1 2 hush md5",
                "line 2: unknown ALGORITHM: write hmac-sha-1-96, aes-128-cmac-96 or hmac-sha-256-128",
            ),
            (&long, "line 1: a SECRET of 81 octets: use 1 to 80"),
            (
                "1 2 hmac-sha-1-96 hush\n#\n1 3 hmac-sha-1-96 y",
                "line 3: SEND-ID 1 is that of line 1 too: each key has its own two",
            ),
            (
                "1 2 hmac-sha-1-96 hush\n3 2 hmac-sha-1-96 y",
                "line 2: RECEIVE-ID 2 is that of line 1 too: each key has its own two",
            ),
        ];
        for (text, said) in rows {
            let error = AoKeys::parse(text).unwrap_err().to_string();
            assert_eq!(error, said);
            assert!(!error.contains("hush"));
        }
    }

    #[test]
    fn identifiers_keep_their_meaning_while_a_connection_lives() {
        let (old, both) = (keys("1 1 hmac-sha-1-96 a"), keys("2 2 hmac-sha-1-96 b\n1 1 hmac-sha-1-96 a"));
        let rows = [
            (&old, &both, true),
            (&both, &old, true),
            (&old, &keys("2 2 hmac-sha-1-96 b"), true),
            (&old, &keys("1 1 hmac-sha-1-96 b"), false),
            (&old, &keys("1 1 aes-128-cmac-96 a"), false),
            (&both, &keys("1 1 hmac-sha-1-96 a\n3 2 hmac-sha-1-96 b"), false),
        ];
        for (from, to, can) in rows {
            assert_eq!(from.can_become(to), can, "{from:?} to {to:?}");
        }
        assert!(old.overlap(&both) && !old.overlap(&keys("2 3 hmac-sha-1-96 a")));
    }
}
