//! The output folder: emptied before a run, but only if it is one of ours.

use std::path::Path;

use lab::error::LabError;

/// A file of this name says that the folder is a lab's and may be emptied by the next one.
const MARK: &str = ".srp-lab";

/// Makes `folder`, or empties it if an earlier lab made it.
pub fn empty(folder: &Path) -> Result<(), LabError> {
    let mark = folder.join(MARK);
    match std::fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() && !mark.exists() {
                let reason = format!(
                    "{} is not empty and no lab made it: choose another folder with --out",
                    folder.display()
                );
                return Err(LabError::Topology { topology: "output".to_owned(), reason });
            }
            std::fs::remove_dir_all(folder).map_err(LabError::file("emptying", folder))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(LabError::file("reading", folder)(error)),
    }
    std::fs::create_dir_all(folder).map_err(LabError::file("making", folder))?;
    std::fs::write(&mark, b"This folder is emptied by the next lab that is given it.\n")
        .map_err(LabError::file("writing", &mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_no_lab_made_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let precious = folder.path().join("thesis.tex");
        std::fs::write(&precious, b"years").expect("written");
        let text = empty(folder.path()).expect_err("refused").to_string();
        assert!(text.contains("--out") && precious.exists(), "{text}");
    }

    #[test]
    fn the_folder_of_an_earlier_lab_is_emptied() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("lab");
        empty(&out).expect("made");
        std::fs::write(out.join("report.json"), b"{}").expect("written");
        empty(&out).expect("emptied");
        assert!(!out.join("report.json").exists() && out.join(MARK).exists());
    }
}
