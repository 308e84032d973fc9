//! The disk in QEMU's own format, for tools that take no other: packed, and grown as it is written to.

use std::path::Path;

use crate::error::ImageError;
use crate::tool::Tool;

const QEMU_IMG: Tool = Tool::new("qemu-img", "qemu-utils");

/// Writes the raw image `disk` to `out` as qcow2.
pub fn write_qcow2(disk: &Path, out: &Path) -> Result<(), ImageError> {
    let mut command = QEMU_IMG.command();
    command.args(["convert", "-c", "-f", "raw", "-O", "qcow2"]).arg(disk).arg(out);
    QEMU_IMG.output(&mut command)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_qcow2_has_the_octets_of_the_disk_and_takes_less_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let (raw, packed) = (folder.path().join("disk.img"), folder.path().join("disk.qcow2"));
        let file = std::fs::File::create(&raw).expect("made");
        file.set_len(64 << 20).expect("long");
        for at in [0, 8 << 20, (64 << 20) - 4096] {
            file.write_all_at(&[0xa5; 4096], at).expect("written");
        }
        write_qcow2(&raw, &packed).expect("converted");
        let mut compare = QEMU_IMG.command();
        compare.args(["compare", "-f", "raw", "-F", "qcow2"]).args([&raw, &packed]);
        QEMU_IMG.output(&mut compare).expect("alike");
        assert!(packed.metadata().expect("there").len() < 1 << 20);
        let error = write_qcow2(&folder.path().join("nothing"), &packed).expect_err("no disk").to_string();
        assert!(error.contains("qemu-img convert") && error.contains("No such file"), "{error}");
    }
}
