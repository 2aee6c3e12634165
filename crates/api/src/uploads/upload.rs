//! Writes an upload to disk. Files are temporary until the upload is complete, so that a failed upload leaves no file.

use std::io;
use std::path::{Path, PathBuf};

use sluice_engine::clock;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::error::{Problem, ProblemKind};
use crate::uploads::folders::{TEMPORARY, TEST_FILES, file_io, make_folder, sync_folder};
use crate::uploads::name;

/// Limits of one upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadLimits {
    /// Maximum size of a file, in bytes.
    pub(crate) bytes: u64,
    /// Maximum number of files.
    pub(crate) files: usize,
}

/// The files of an upload. Files that were not committed are removed on drop.
#[derive(Debug)]
pub(crate) struct Upload {
    data_dir: PathBuf,
    limits: UploadLimits,
    files: Vec<Temporary>,
}

#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    safe_name: String,
    size: u64,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Fails if the file was committed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct FileWriter {
    file: File,
    temporary: Temporary,
    max: u64,
}

impl Upload {
    pub(crate) fn new(data_dir: &Path, limits: UploadLimits) -> Self {
        Self { data_dir: data_dir.to_owned(), limits, files: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Begins the next file.
    pub(crate) async fn start_file(&self, client_name: &str) -> Result<FileWriter, Problem> {
        let max = self.limits.files;
        if self.files.len() >= max {
            return Err(Problem::new(
                ProblemKind::TooLarge,
                format!("The form has more than {max} files. Send fewer per request."),
            ));
        }
        let folder = self.data_dir.join(TEMPORARY);
        let path = folder.join(clock::new_id().to_string());
        let temporary = Temporary { path, safe_name: name::safe_name(client_name), size: 0 };
        // Returns the file together with its guard: the file is created even if the caller is dropped meanwhile.
        let (file, temporary) = file_io(move || {
            std::fs::create_dir_all(&folder)?;
            Ok((std::fs::File::create_new(&temporary.path)?, temporary))
        })
        .await?;
        Ok(FileWriter { file: File::from_std(file), temporary, max: self.limits.bytes })
    }

    /// Finishes a file and makes it durable.
    pub(crate) async fn finish_file(&mut self, writer: FileWriter) -> Result<(), Problem> {
        let FileWriter { mut file, temporary, max: _ } = writer;
        file.flush().await.map_err(Problem::from_io_error)?;
        file.sync_all().await.map_err(Problem::from_io_error)?;
        self.files.push(temporary);
        Ok(())
    }

    /// Moves the files to the folder of their workflow, and returns their paths below the data folder.
    pub(crate) async fn commit(self, workflow_id: Uuid) -> Result<Vec<String>, Problem> {
        file_io(move || {
            let folder = make_folder(&self.data_dir, TEST_FILES, workflow_id)?;
            let stamp = clock::now().format("%Y%m%d_%H%M%S").to_string();
            let mut moved: Vec<PathBuf> = Vec::new();
            for file in &self.files {
                match move_into(&folder, &stamp, file) {
                    Ok(path) => moved.push(path),
                    Err(error) => {
                        moved.iter().for_each(|path| drop(std::fs::remove_file(path)));
                        return Err(error);
                    }
                }
            }
            sync_folder(&folder)?;
            let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(moved.iter().map(|path| format!("{TEST_FILES}/{workflow_id}/{}", name(path))).collect())
        })
        .await
    }
}

/// Moves a file to the first free name of this time stamp.
fn move_into(folder: &Path, stamp: &str, file: &Temporary) -> io::Result<PathBuf> {
    for n in 1.. {
        let path = folder.join(name::stored_name(stamp, &file.safe_name, n));
        match std::fs::File::create_new(&path) {
            // The name is reserved, so the move replaces only the empty file.
            Ok(_) => {
                let result = std::fs::rename(&file.path, &path);
                return result.inspect_err(|_| drop(std::fs::remove_file(&path))).map(|()| path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no free file name"))
}

impl FileWriter {
    /// Writes a chunk.
    pub(crate) async fn write(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        self.temporary.size += chunk.len() as u64;
        if self.temporary.size > self.max {
            let detail = format!("A file is larger than {} bytes. Send a smaller file.", self.max);
            return Err(Problem::new(ProblemKind::TooLarge, detail));
        }
        self.file.write_all(chunk).await.map_err(Problem::from_io_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: UploadLimits = UploadLimits { bytes: 5, files: 2 };

    async fn add(upload: &mut Upload, name: &str, bytes: &[u8]) -> Result<(), Problem> {
        let mut writer = upload.start_file(name).await?;
        writer.write(bytes).await?;
        upload.finish_file(writer).await
    }

    fn temporary_files(folder: &Path) -> usize {
        std::fs::read_dir(folder.join(TEMPORARY)).unwrap().count()
    }

    #[tokio::test]
    async fn files_with_the_same_name_and_second_are_all_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut upload = Upload::new(folder.path(), LIMITS);
        add(&mut upload, "../a.txt", b"one").await.unwrap();
        add(&mut upload, "a.txt", b"two").await.unwrap();
        let paths = upload.commit(Uuid::nil()).await.unwrap();
        assert!(paths[0].ends_with("_a.txt") && paths[1].ends_with("_a_2.txt"), "{paths:?}");
        assert_eq!(std::fs::read(folder.path().join(&paths[0])).unwrap(), b"one");
        assert_eq!(std::fs::read(folder.path().join(&paths[1])).unwrap(), b"two");
        assert_eq!(temporary_files(folder.path()), 0);
    }

    #[tokio::test]
    async fn rejected_upload_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut upload = Upload::new(folder.path(), LIMITS);
        add(&mut upload, "a", b"12345").await.unwrap();
        let rejected = add(&mut upload, "b", b"123456").await.unwrap_err();
        assert_eq!(rejected.kind, ProblemKind::TooLarge);
        add(&mut upload, "c", b"").await.unwrap();
        assert_eq!(add(&mut upload, "d", b"").await.unwrap_err().kind, ProblemKind::TooLarge);
        drop(upload);
        assert_eq!(temporary_files(folder.path()), 0);
        assert!(!folder.path().join(TEST_FILES).exists());
    }
}
