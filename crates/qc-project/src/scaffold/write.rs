use std::path::Path;

use qc_model::Finding;

use crate::{ProjectFiles, codes, files::file_place};

/// Writes files into a folder. Nothing is overwritten: if one of them is there, none is written.
pub fn write(files: &ProjectFiles, folder: &Path) -> Result<(), Vec<Finding>> {
    let there: Vec<Finding> = files
        .iter()
        .filter(|(path, _)| folder.join(path).exists())
        .map(|(path, _)| {
            Finding::error(codes::EXISTS, format!("`{path}` is there already")).at(file_place(path))
        })
        .collect();
    if !there.is_empty() {
        return Err(there);
    }
    for (path, bytes) in files.iter() {
        let file = folder.join(path);
        let written = match file.parent() {
            Some(parent) => {
                std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&file, bytes))
            }
            None => std::fs::write(&file, bytes),
        };
        if let Err(error) = written {
            let message = format!("cannot write `{path}`: {error}");
            return Err(vec![Finding::error(codes::UNREADABLE, message).at(file_place(path))]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            ProjectFiles::new([("a/b".to_owned(), "new".into()), ("c".to_owned(), "new".into())]);
        std::fs::write(folder.path().join("c"), "old").unwrap();
        let findings = write(&files, folder.path()).unwrap_err();
        assert_eq!(findings[0].code, codes::EXISTS);
        assert!(!folder.path().join("a").exists());
        std::fs::remove_file(folder.path().join("c")).unwrap();
        write(&files, folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a/b")).unwrap(), "new");
    }
}
