//! Attributes of an agent as its flag writes them: `rack:abc;level:10;keys:[1000-1500]`.

use crate::v1::Attribute;
use crate::v1::value::Type;
use crate::value_text::{self, ValueError};

/// Why a text is not a list of attributes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// An entry has no colon, or nothing before it.
    #[error("attribute '{0}' is not of the form name:value")]
    Form(String),
    /// A value cannot be read.
    #[error("attribute '{name}' has no value that can be read")]
    Value {
        /// Name of the attribute.
        name: String,
        /// What is wrong with its value.
        source: ValueError,
    },
    /// An attribute is a number, ranges or text.
    #[error("attribute '{0}' is a set, which attributes cannot be")]
    Set(String),
}

/// Reads attributes, separated by semicolons or newlines. A value may itself contain colons.
pub fn parse(text: &str) -> Result<Vec<Attribute>, AttributeError> {
    let entries = text.split([';', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(attribute).collect()
}

fn attribute(entry: &str) -> Result<Attribute, AttributeError> {
    let Some((name, text)) = entry.split_once(':').filter(|(name, _)| !name.trim().is_empty())
    else {
        return Err(AttributeError::Form(entry.to_owned()));
    };
    let name = name.trim().to_owned();
    let value = match value_text::parse(text) {
        Ok(value) if value.r#type() == Type::Set => return Err(AttributeError::Set(name)),
        Ok(value) => value,
        Err(source) => return Err(AttributeError::Value { name, source }),
    };
    Ok(Attribute {
        name,
        r#type: value.r#type,
        scalar: value.scalar,
        ranges: value.ranges,
        set: value.set,
        text: value.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let attributes = parse("rack:abc; level:10;keys:[1000-1500];\nurl:http://x:80").unwrap();
        assert_eq!(
            serde_json::to_value(attributes).unwrap(),
            serde_json::json!([
                {"name": "rack", "type": "TEXT", "text": {"value": "abc"}},
                {"name": "level", "type": "SCALAR", "scalar": {"value": 10.0}},
                {"name": "keys", "type": "RANGES", "ranges": {"range": [{"begin": 1000, "end": 1500}]}},
                {"name": "url", "type": "TEXT", "text": {"value": "http://x:80"}},
            ])
        );
        assert_eq!(parse(" ; "), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, expected) in [
            ("rack", "attribute 'rack' is not of the form name:value"),
            (":abc", "attribute ':abc' is not of the form name:value"),
            ("a:1;rack:", "attribute 'rack' has no value that can be read"),
            ("s:{a,b}", "attribute 's' is a set, which attributes cannot be"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }
}
