//! Values as operators write them in flags: `8`, `[1-10,20-30]`, `{a,b}`, or plain text.

use crate::v1::Value;
use crate::v1::value::{Range, Ranges, Scalar, Set, Text, Type};
use std::fmt;

/// Why a text is not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// There is nothing.
    #[error("the value is empty")]
    Empty,
    /// A bracket has no counterpart, or something follows it.
    #[error("the brackets of '{0}' do not match")]
    Brackets(String),
    /// A part of `[…]` is not of the form `begin-end`.
    #[error("'{0}' is not a range of the form begin-end")]
    Range(String),
}

/// Reads a value: what starts with a bracket is ranges or a set, what looks like a number is a
/// scalar, and all else is text.
pub fn parse(text: &str) -> Result<Value, ValueError> {
    let text = text.trim();
    let mut value = Value { r#type: Type::Text as i32, ..Value::default() };
    match text.as_bytes().first() {
        None => return Err(ValueError::Empty),
        Some(b'[') => {
            value.r#type = Type::Ranges as i32;
            let range = parts(text, ']')?.map(range).collect::<Result<_, _>>()?;
            value.ranges = Some(Ranges { range });
        }
        Some(b'{') => {
            value.r#type = Type::Set as i32;
            let item = parts(text, '}')?.filter(|item| !item.is_empty()).map(str::to_owned);
            value.set = Some(Set { item: item.collect() });
        }
        Some(_) if text.contains(['[', ']', '{', '}']) => {
            return Err(ValueError::Brackets(text.to_owned()));
        }
        Some(_) => {
            if let Some(number) = scalar(text) {
                value.r#type = Type::Scalar as i32;
                value.scalar = Some(Scalar { value: number });
            } else {
                value.text = Some(Text { value: text.to_owned() });
            }
        }
    }
    Ok(value)
}

/// What stands between the brackets of `text`, cut at commas.
fn parts(text: &str, close: char) -> Result<impl Iterator<Item = &str>, ValueError> {
    let inner = text.get(1..).and_then(|rest| rest.strip_suffix(close));
    match inner {
        Some(inner) if !inner.contains(['[', ']', '{', '}']) => Ok(inner.split(',').map(str::trim)),
        _ => Err(ValueError::Brackets(text.to_owned())),
    }
}

fn range(text: &str) -> Result<Range, ValueError> {
    let parsed = text.split_once('-').and_then(|(begin, end)| {
        Some(Range { begin: begin.trim().parse().ok()?, end: end.trim().parse().ok()? })
    });
    parsed.ok_or_else(|| ValueError::Range(text.to_owned()))
}

/// `inf` and `nan` are text: nobody means a number by them.
fn scalar(text: &str) -> Option<f64> {
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    let number: f64 = text.parse().ok()?;
    (numeric(*text.as_bytes().first()?) && number.is_finite()).then_some(number)
}

/// `[31000-32000, 33000-33000]`, as the classic endpoints show it (semantics 288).
impl fmt::Display for Ranges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> =
            self.range.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
        write!(formatter, "[{}]", ranges.join(", "))
    }
}

/// `{a, b}`, as the classic endpoints show it (semantics 288).
impl fmt::Display for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{{}}}", self.item.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, json: &str) {
        let value = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(serde_json::to_string(&value).unwrap(), json, "{text}");
    }

    #[test]
    fn numbers_are_scalars() {
        check("8", r#"{"type":"SCALAR","scalar":{"value":8.0}}"#);
        check(" 0.5 ", r#"{"type":"SCALAR","scalar":{"value":0.5}}"#);
        check("-1e3", r#"{"type":"SCALAR","scalar":{"value":-1000.0}}"#);
    }

    #[test]
    fn brackets_make_ranges() {
        check("[1-10]", r#"{"type":"RANGES","ranges":{"range":[{"begin":1,"end":10}]}}"#);
        check(
            "[1-10, 20 - 30]",
            r#"{"type":"RANGES","ranges":{"range":[{"begin":1,"end":10},{"begin":20,"end":30}]}}"#,
        );
        for text in ["[]", "[1]", "[1-]", "[-1-5]", "[a-b]", "[1-2-3]", "[1-2,]"] {
            assert!(matches!(parse(text), Err(ValueError::Range(_))), "{text}");
        }
    }

    #[test]
    fn braces_make_sets() {
        check("{a,b}", r#"{"type":"SET","set":{"item":["a","b"]}}"#);
        check("{ a , b }", r#"{"type":"SET","set":{"item":["a","b"]}}"#);
        check("{}", r#"{"type":"SET","set":{}}"#);
    }

    #[test]
    fn all_else_is_text() {
        for text in ["abc", "us-east-1", "1.2.3", "inf", "NaN", "1e999", "0x10"] {
            check(text, &format!(r#"{{"type":"TEXT","text":{{"value":"{text}"}}}}"#));
        }
    }

    #[test]
    fn brackets_must_match() {
        for text in ["[1-2", "1-2]", "{a", "a}", "[1-2}", "{a}b", "[[1-2]]", "a[1]", "{a,{b}}"] {
            assert!(matches!(parse(text), Err(ValueError::Brackets(_))), "{text}");
        }
        assert_eq!(parse("  "), Err(ValueError::Empty));
    }

    #[test]
    fn ranges_and_sets_have_a_text() {
        let shown = |text: &str| {
            let value = parse(text).unwrap();
            value.ranges.map(|ranges| ranges.to_string()).or(value.set.map(|set| set.to_string()))
        };
        assert_eq!(shown("[1-2,4-4]").unwrap(), "[1-2, 4-4]");
        assert_eq!(shown("{a,b}").unwrap(), "{a, b}");
    }
}
