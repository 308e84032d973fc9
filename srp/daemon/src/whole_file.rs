//! Files that others collect: seen as a whole, or not at all.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a file, or replaces it, under another name (`.part`) first. It is not synchronised: after a power cut it may be
/// the old one.
pub fn write(file: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let part = file.with_added_extension("part");
    let written = fs::write(&part, contents).and_then(|()| fs::rename(&part, file));
    if written.is_err() {
        let _ = fs::remove_file(&part); // it would take room on a disk that has none
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_one_that_cannot_be_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file.csv");
        write(&file, "old").expect("a new file");
        write(&file, "new").expect("another");
        assert_eq!(fs::read(&file).expect("the file"), b"new");
        let taken = folder.path().join("folder");
        fs::create_dir(&taken).expect("a folder");
        write(&taken, "new").expect_err("a folder is there");
        let names = fs::read_dir(folder.path()).expect("the folder");
        let mut names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["file.csv", "folder"]);
    }
}
