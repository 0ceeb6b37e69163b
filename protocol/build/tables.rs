//! Writes, for every message, a table of what to check in its protobuf form: which fields are
//! required, and which hold enums or further messages.

use crate::schema::{Kind, Message, Schema, Shape};
use std::fmt::Write;

pub(crate) fn generate(schema: &Schema) -> String {
    schema.messages.iter().map(table).collect()
}

fn table(message: &Message) -> String {
    let mut fields = String::new();
    let mut sorted: Vec<_> = message.fields.iter().collect();
    sorted.sort_by_key(|field| field.tag);
    for field in sorted {
        let required = matches!(field.shape, Shape::Required);
        let content = match (&field.kind, &field.shape) {
            (Kind::Message(proto), Shape::Map) => format!("Content::Map(&{})", static_name(proto)),
            (Kind::Message(proto), _) => format!("Content::Message(&{})", static_name(proto)),
            (Kind::Enumeration(path), _) => format!("Content::Enumeration({path}::is_valid)"),
            (Kind::Plain, _) if required => "Content::Plain".to_owned(),
            (Kind::Plain, _) => continue,
        };
        // Writing to a String cannot fail.
        let _ = write!(
            fields,
            "Field {{ tag: {}, name: {:?}, required: {required}, content: {content} }}, ",
            field.tag, field.name
        );
    }
    let (name, path) = (static_name(&message.proto), &message.path);
    format!(
        "static {name}: Table = Table {{ fields: &[{fields}] }};
        impl Checked for {path} {{ const TABLE: &'static Table = &{name}; }}\n"
    )
}

fn static_name(proto: &str) -> String {
    proto.replace('.', "_").to_uppercase()
}
