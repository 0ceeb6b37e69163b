//! Habits that no other tool checks: sizes of files, words that do not belong, paths in documents.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file above which it must be split.
const FILE_LINES_MAX: usize = 800;
/// Columns of any line. rustfmt holds code to 100; what it leaves alone (comments, text, macros) may be a
/// little wider, not endless.
const LINE_COLUMNS_MAX: usize = 140;
/// Work that is announced is work that is not done; it belongs into an issue.
const FORBIDDEN: [&str; 3] = ["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}"];
/// Folders that hold what others wrote, or what was recorded or generated.
const NOT_OURS: [&str; 6] = ["target", ".git", "golden", "generated", "wire", "node_modules"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace above us").to_owned()
}

/// Files below `folder` that end with one of these, relative to the root.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    text.lines().map(str::to_owned).collect()
}

/// Fails with every place that breaks a habit, not only the first.
fn check(habit: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{habit}:\n  {}", broken.join("\n  "));
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn files_are_small_enough_to_be_read() {
    let too_long = files(&root(), &[".rs", ".py", ".sh"]).into_iter().filter_map(|path| {
        let count = lines(&path).len();
        (count > FILE_LINES_MAX).then(|| format!("{}: {count} lines", shown(&path)))
    });
    let too_long: Vec<_> = too_long.collect();
    check(&format!("files have {FILE_LINES_MAX} lines at most"), &too_long);
}

#[test]
fn lines_are_short_enough_to_be_read() {
    let mut too_long = Vec::new();
    for path in files(&root(), &[".rs", ".py"]) {
        for (number, line) in lines(&path).iter().enumerate() {
            if line.chars().count() > LINE_COLUMNS_MAX {
                too_long.push(format!("{}:{}", shown(&path), number + 1));
            }
        }
    }
    check("lines are short", &too_long);
}

#[test]
fn nothing_is_put_off() {
    let mut broken = Vec::new();
    for path in files(&root(), &[".rs", ".py", ".md", ".proto", ".toml"]) {
        for (number, line) in lines(&path).iter().enumerate() {
            for word in FORBIDDEN.iter().filter(|word| line.contains(*word)) {
                broken.push(format!("{}:{}: {word}", shown(&path), number + 1));
            }
        }
    }
    check("what is not done is an issue, not a remark", &broken);
}

#[test]
fn every_source_file_says_what_it_is_for() {
    // The tests of a module speak of what the module is for.
    let silent = files(&root(), &[".rs"]).into_iter().filter(|path| !path.ends_with("tests.rs"));
    let silent = silent.filter(|path| {
        let first = lines(path).into_iter().next();
        !first.is_some_and(|line| line.starts_with("//! "))
    });
    let silent: Vec<_> = silent.map(|path| shown(&path)).collect();
    check("files begin with their purpose", &silent);
}

/// Words in backquotes that look like paths below the root: `statemachine/src/event.rs`.
fn paths(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| is_path(word)).collect()
}

fn is_path(word: &str) -> bool {
    let first = word.split('/').next().unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    word.contains('/') && word.chars().all(plain) && is_top(first)
}

/// Crates and folders at the root.
fn is_top(name: &str) -> bool {
    !name.is_empty() && name != "target" && root().join(name).is_dir()
}

#[test]
fn documents_name_only_what_exists() {
    let mut missing = Vec::new();
    let mut documents = files(&root().join("docs"), &[".md"]);
    documents.push(root().join("README.md"));
    // names of metrics look like paths, and a test of their own holds them to what is there
    documents.retain(|document| !document.ends_with("docs/METRICS.md"));
    for document in documents.iter().filter(|document| document.exists()) {
        for (number, line) in lines(document).iter().enumerate() {
            for path in paths(line).into_iter().filter(|path| !root().join(path).exists()) {
                missing.push(format!("{}:{}: {path}", shown(document), number + 1));
            }
        }
    }
    check("paths in documents exist", &missing);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    let mut documents = files(&root().join("docs"), &[".md"]);
    documents.push(root().join("README.md"));
    for document in documents.iter().filter(|document| document.exists()) {
        let folder = document.parent().expect("a file lies in a folder");
        for (number, line) in lines(document).iter().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = link.split('#').next().unwrap_or_default();
                let inside = !target.is_empty() && !target.contains("://");
                if inside && !folder.join(target).exists() {
                    broken.push(format!("{}:{}: {link}", shown(document), number + 1));
                }
            }
        }
    }
    check("links lead to files that exist", &broken);
}
