//! Plans that once failed. To add one, copy the file that a failing run leaves behind.

use std::path::Path;

use proptests::{Plan, run};

#[test]
fn plans_that_once_failed_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let files = std::fs::read_dir(&folder).expect("the folder is there");
    let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    for path in paths {
        let plan = Plan::read(&path).expect("a plan");
        assert_eq!(run(&plan, None, false).violation, None, "{}", path.display());
    }
}
