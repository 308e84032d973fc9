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
}

impl Compression {
    /// The end of the file name of an archive packed so.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
        }
    }

    /// Packs `octets`. The same octets give the same result with the same version of gzip, which is told to write neither
    /// a name nor a time.
    pub(crate) fn pack(self, octets: Vec<u8>) -> Result<Vec<u8>, ImageError> {
        match self {
            Self::None => Ok(octets),
            Self::Gzip => {
                let gzip = Tool::new("gzip", "gzip");
                gzip.filter(gzip.command().args(["-9", "--no-name", "--stdout"]), &octets)
            }
        }
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
    }
}
