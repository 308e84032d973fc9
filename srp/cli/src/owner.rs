//! Whose a new file is. The daemon may be somebody else than root, and root writes its files.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use nix::unistd::geteuid;

/// Gives a file to the owner and the group of `like`. Only root can, and nobody else has to: their files are their own.
pub fn give(file: &File, like: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let like = like.symlink_metadata()?;
    fchown(file, Some(like.uid()), Some(like.gid()))
}

/// The folder of a file, also of one that is named without any.
pub fn folder(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    #[test]
    fn what_root_writes_into_a_folder_belongs_to_its_owner() {
        let place = tempfile::tempdir().expect("a folder");
        chown(place.path(), Some(65534), Some(65534)).expect("given away (needs root)");
        let file = place.path().join("srp.toml");
        crate::configure::store::write(&file, "first", 0o640).expect("written");
        let owner =
            |file: &Path| (file.metadata().expect("there").uid(), file.metadata().expect("there").gid());
        assert_eq!(owner(&file), (65534, 65534));
        // One that is somebody else's stays theirs.
        chown(&file, Some(0), Some(65534)).expect("given away");
        crate::configure::store::write(&file, "second", 0o640).expect("written");
        assert_eq!(owner(&file), (0, 65534));

        crate::keygen::keygen(place.path(), &["east".to_owned()]).expect("a key");
        assert_eq!(owner(&place.path().join("east.key")), (65534, 65534));
        assert_eq!(folder(Path::new("srp.toml")), Path::new("."));
    }
}
