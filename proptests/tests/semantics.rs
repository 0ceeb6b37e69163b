//! `docs/SEMANTICS.md` has a row for every statement, `docs/BETTER.md` one for every limit of Mesos, and each
//! row names tests that name it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The sections whose statements need a row, and the statements of each.
const SECTIONS: [(char, RangeInclusive<u32>); 17] = [
    ('C', 43..=78),
    ('D', 79..=102),
    ('E', 103..=115),
    ('F', 116..=134),
    ('G', 135..=137),
    ('H', 138..=158),
    ('I', 159..=169),
    ('J', 170..=189),
    ('K', 190..=202),
    ('L', 203..=209),
    ('M', 210..=218),
    ('N', 219..=235),
    ('O', 236..=245),
    ('P', 246..=251),
    ('T', 287..=296),
    ('U', 297..=301),
    ('W', 307..=316),
];

/// The limits of Mesos, as `docs/BETTER.md` has them.
const LIMITS: [(char, RangeInclusive<u32>); 4] =
    [('1', 1..=20), ('2', 21..=34), ('4', 46..=54), ('5', 55..=64)];

/// One of the documents.
struct Table {
    path: &'static str,
    /// How tests name its numbers.
    word: &'static str,
    sections: &'static [(char, RangeInclusive<u32>)],
    /// Verdicts that need a reason; those of the second list need no test.
    verdicts: [&'static [&'static str]; 2],
}

const TABLES: [Table; 2] = [
    Table {
        path: "docs/SEMANTICS.md",
        word: "semantics",
        sections: &SECTIONS,
        verdicts: [&["better", "differs"], &["n/a"]],
    },
    Table {
        path: "docs/BETTER.md",
        word: "gaps",
        sections: &LIMITS,
        verdicts: [&["better"], &["same", "n/a"]],
    },
];

/// One statement of a table.
struct Row {
    line: usize,
    section: char,
    number: u32,
    verdict: String,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace above us").to_owned()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// The rows below the headings `## C. …`, and what is wrong with the form of any.
fn rows(table: &Table) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut section = ' ';
    for (at, text) in read(table.path).expect("the table").lines().enumerate() {
        if let Some(heading) = text.strip_prefix("## ") {
            section = heading.chars().next().unwrap_or(' ');
        }
        let cells: Vec<_> = text.split('|').map(str::trim).collect();
        let Some(Ok(number)) = cells.get(1).map(|cell| cell.parse()) else { continue };
        let &[_, _, says, verdict, tests, ""] = cells.as_slice() else {
            faults.push(format!("line {}: a row has four cells", at + 1));
            continue;
        };
        if says.is_empty() {
            faults.push(format!("line {}: it does not say what {number} says", at + 1));
        }
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        rows.push(Row { line: at + 1, section, number, verdict: verdict.to_owned(), tests });
    }
    (rows, faults)
}

/// A verdict other than "holds" says why.
fn check_verdict(row: &Row, [tested, untested]: [&[&str]; 2]) -> Option<String> {
    let (verdict, reason) = row.verdict.split_once(": ").unwrap_or((&row.verdict, ""));
    let needs_reason = tested.contains(&verdict) || untested.contains(&verdict);
    let problem = match (verdict, needs_reason) {
        ("holds", _) if reason.is_empty() => None,
        (_, true) if !reason.is_empty() => None,
        (_, true) => Some("needs a reason".to_owned()),
        _ => Some(format!("is neither 'holds' nor, with a reason, of {tested:?} or {untested:?}")),
    };
    let lacks_test = !untested.contains(&verdict) && row.tests.is_empty();
    problem.or(lacks_test.then(|| "names no test".to_owned()))
}

/// A test exists, and names the statement.
fn check_test(proof: &str, (word, number): (&str, u32)) -> Option<String> {
    let (path, name) =
        proof.split_once("::").map_or((proof, None), |(path, name)| (path, Some(name)));
    let Some(file) = read(path) else { return Some(format!("there is no file {path}")) };
    let words = match name {
        Some(name) => body(&file, name),
        None if path.starts_with("tests/live/scenarios/") => Some(file),
        None => return Some(format!("{proof} is neither path::name nor a live scenario")),
    };
    match words {
        None => Some(format!("there is no such test as {proof}")),
        Some(words) if named(&words, word).contains(&number) => None,
        Some(_) => Some(format!("{proof} does not say '{word} {number}'")),
    }
}

/// A test function with the comments and attributes above it; `None` if there is no such test.
fn body(file: &str, name: &str) -> Option<String> {
    let lines: Vec<_> = file.lines().collect();
    let start = |line: &&str| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('(') || rest.starts_with('<'))
    };
    let at = lines.iter().position(start)?;
    let above = lines[..at].iter().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with('#')
    });
    let first = at - above.count();
    let is_test = |line: &&str| line.contains("test]") || line.contains("::test(");
    lines[first..at].iter().find(|line| is_test(line))?;
    let indent = lines[at].len() - lines[at].trim_start().len();
    let end = format!("{}}}", " ".repeat(indent));
    let length = lines[at..].iter().position(|line| *line == end)?;
    Some(lines[first..=at + length].join("\n"))
}

/// The statements that a text names after a word: `semantics 7`, `semantics 7, 8 and 9`, `semantics 7 to 9`.
fn named(text: &str, word: &str) -> BTreeSet<u32> {
    let words: Vec<_> = text.split_whitespace().filter(|word| !word.starts_with("//")).collect();
    let mut named = BTreeSet::new();
    for at in (0..words.len()).filter(|at| words[*at].ends_with(word)) {
        let mut last = None;
        let mut range = false;
        for word in &words[at + 1..] {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            match (digits.parse::<u32>(), *word) {
                (Ok(number), _) => {
                    named.extend(last.filter(|_| range).unwrap_or(number)..=number);
                    (last, range) = (Some(number), false);
                    if !["", ","].contains(&&word[digits.len()..]) {
                        break;
                    }
                }
                (Err(_), "to") => range = true,
                (Err(_), "and") => {}
                (Err(_), _) => break,
            }
        }
    }
    named
}

fn check_rows(table: &Table) -> Vec<String> {
    let (rows, mut faults) = rows(table);
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    for row in &rows {
        if let Some(first) = seen.insert(row.number, row.line) {
            faults
                .push(format!("{} has a row at line {first} and one at {}", row.number, row.line));
        }
        let fits = |(letter, numbers): &(char, RangeInclusive<u32>)| {
            *letter == row.section && numbers.contains(&row.number)
        };
        if !table.sections.iter().any(fits) {
            faults.push(format!(
                "line {}: {} is not in section {}",
                row.line, row.number, row.section
            ));
        }
    }
    let numbers = table.sections.iter().flat_map(|(_, numbers)| numbers.clone());
    let missing = numbers.filter(|number| !seen.contains_key(number));
    faults.extend(missing.map(|number| format!("{number} has no row")));
    faults
}

fn check_proofs(table: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows(table).0 {
        let name = (table.word, row.number);
        let tests = row.tests.iter().filter_map(|test| check_test(test, name));
        for fault in check_verdict(&row, table.verdicts).into_iter().chain(tests) {
            faults.push(format!("line {}, {}: {fault}", row.line, row.number));
        }
    }
    faults
}

fn check_all(check: fn(&Table) -> Vec<String>) {
    for table in &TABLES {
        let faults = check(table);
        assert!(faults.is_empty(), "{}:\n  {}", table.path, faults.join("\n  "));
    }
}

#[test]
fn every_statement_has_one_row_under_its_section() {
    check_all(check_rows);
}

#[test]
fn every_row_names_tests_that_name_its_statement() {
    check_all(check_proofs);
}

#[test]
fn statements_are_read_from_words() {
    let check = |text: &str, expected: &[u32]| {
        assert_eq!(named(text, "semantics").into_iter().collect::<Vec<_>>(), expected, "{text}");
    };
    check("/// semantics 7", &[7]);
    check("(semantics 7, 9 and 12): 5 things", &[7, 9, 12]);
    check("/// semantics 7, 9 to\n    /// 11: what 20 say", &[7, 9, 10, 11]);
    check("\"semantics 7: text\"", &[7]);
    check("no semantics here 7, semantics 8\", 9", &[8]);
}
