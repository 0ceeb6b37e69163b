//! Flipped bits anywhere in any file: found or harmless, never a panic and never other entries.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;

use super::files::{count, numbers, small};
use crate::Reader;
use crate::testing::{Quorum, eventually};

/// A journal that was stopped, with segments, a tail and a snapshot.
fn journal() -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let dir = tempfile::tempdir().expect("a temporary directory");
        runtime.block_on(async {
            let mut quorum = Quorum::form(1, small).await;
            quorum.commit(0..300).await;
            let files = quorum.dir(1).to_path_buf();
            eventually("segments", || (count(&files, "history-") > 2).then_some(())).await;
            quorum.stop(1).await;
            copy(&files, dir.path());
        });
        dir
    });
    dir.path()
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let name = path.file_name().expect("a file");
        fs::copy(&path, to.join(name)).expect("copied");
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(dir).expect("readable").map(|file| file.expect("readable").path()).collect();
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_flipped_bit_is_found_or_harmless(file: prop::sample::Index, bit: prop::sample::Index) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        copy(journal(), dir.path());
        let files = files(dir.path());
        let path = file.get(&files);
        let mut bytes = fs::read(path).expect("readable");
        prop_assume!(!bytes.is_empty());
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, bytes).expect("written");
        let whole = Reader::open(dir.path()).ok().filter(|reader| reader.verify().is_ok());
        if let Some(reader) = whole {
            let found = numbers(&reader);
            prop_assert_eq!(&found, &(0..found.len() as u64).collect::<Vec<_>>());
        }
    }
}
