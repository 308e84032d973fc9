//! How the archive is packed. The measurements behind the default are in `docs/decisions/0006-development-image.md`.

use clap::ValueEnum;

use crate::error::ImageError;
use crate::tool::Tool;

/// A compression that the kernel can undo by itself. LZ4 is left out: its frames have no end that the kernel could see, so
/// that a machine's own archive behind it would be taken for more of the same and the machine would not start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// As it is: starts fastest.
    None,
    /// gzip: its tool is on every Debian machine.
    #[default]
    Gzip,
    /// Zstandard: smallest.
    Zstd,
}

impl Compression {
    /// The end of the file name of an archive packed so.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// Packs `octets`. The same octets give the same result with the same version of the tool: none writes a name or a
    /// time, and zstd runs on one thread.
    pub(crate) fn pack(self, octets: Vec<u8>) -> Result<Vec<u8>, ImageError> {
        let (tool, args): (Tool, &[&str]) = match self {
            Self::None => return Ok(octets),
            Self::Gzip => (Tool::new("gzip", "gzip"), &["-9", "--no-name", "--stdout"]),
            Self::Zstd => (Tool::new("zstd", "zstd"), &["-19", "--single-thread", "--quiet", "--stdout"]),
        };
        tool.filter(tool.command().args(args), &octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_compression_begins_with_what_the_kernel_looks_for() {
        // Linux lib/decompress.c: the magic numbers by which it tells them apart.
        let begin = |compression: Compression| compression.pack(vec![7; 10_000]).unwrap()[..2].to_vec();
        assert_eq!(begin(Compression::None), [7, 7]);
        assert_eq!(begin(Compression::Gzip), [0x1f, 0x8b]);
        assert_eq!(begin(Compression::Zstd), [0x28, 0xb5]);
    }
}
