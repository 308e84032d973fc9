//! Digests of what is read, without having it in memory as a whole.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// How much can be read, octets, and its SHA-256 in hexadecimal.
pub(crate) fn sha256(content: impl Read) -> io::Result<(u64, String)> {
    sha256_of_pieces(content, |_| ())
}

/// The same, and each piece is handed to `take` on the way.
pub(crate) fn sha256_of_pieces(content: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<(u64, String)> {
    let mut digest = Sha256::new();
    let octets = in_pieces(content, |piece| {
        digest.update(piece);
        take(piece);
    })?;
    Ok((octets, hex(&digest.finalize())))
}

/// Hands everything that can be read to `take`, in pieces, and returns how much it was.
pub(crate) fn in_pieces(mut content: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut octets = 0;
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(octets),
            Ok(count) => {
                take(&buffer[..count]);
                octets += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The octets of a digest in hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
