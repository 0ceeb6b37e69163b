//! The v1 messages, reduced to what the generators need to know of them.

use crate::names;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Packages whose messages clients see.
const PUBLIC: [&str; 2] = ["mesos.v1", "google.protobuf"];

/// Messages of which Mesos writes even empty lists, but for deprecated ones (semantics 9).
const WITH_EMPTY_LISTS: [&str; 7] = [
    ".mesos.v1.master.Response.GetAgents",
    ".mesos.v1.master.Response.GetExecutors",
    ".mesos.v1.master.Response.GetFrameworks",
    ".mesos.v1.master.Response.GetTasks",
    ".mesos.v1.agent.Response.GetExecutors",
    ".mesos.v1.agent.Response.GetFrameworks",
    ".mesos.v1.agent.Response.GetTasks",
];

pub(crate) struct Schema {
    pub(crate) messages: Vec<Message>,
    /// Rust paths of the enums.
    pub(crate) enums: Vec<String>,
}

pub(crate) struct Message {
    /// Full proto name, such as `.mesos.v1.TaskInfo`.
    pub(crate) proto: String,
    /// Rust path.
    pub(crate) path: String,
    /// In declaration order, which is the order of JSON.
    pub(crate) fields: Vec<Field>,
}

pub(crate) struct Field {
    /// Name in the .proto and in JSON.
    pub(crate) name: String,
    /// Name of the struct field.
    pub(crate) ident: String,
    pub(crate) tag: u32,
    pub(crate) shape: Shape,
    pub(crate) kind: Kind,
}

/// How often a field can be there, and what stands for it in Rust.
pub(crate) enum Shape {
    /// proto2 `required`: a plain value.
    Required,
    /// proto3 without presence: a plain value, always written.
    Implicit,
    /// An `Option`.
    Optional,
    /// An `Option` of which JSON shows the default when it is unset (semantics 7, 8).
    Defaulted,
    /// A `Vec`; some of them JSON shows even when they are empty.
    Repeated { always_shown: bool },
    /// A `BTreeMap`; the kind is that of its values.
    Map,
    /// A variant (Rust path) of the enum in the struct field `ident`.
    OneOf { variant: String },
}

/// What a field holds.
pub(crate) enum Kind {
    /// Anything that is neither an enum nor a message.
    Plain,
    /// Rust path of the enum.
    Enumeration(String),
    /// Full proto name of the message.
    Message(String),
}

/// Collects every public message and enum, nested ones included.
pub(crate) fn read(descriptors: &FileDescriptorSet) -> Schema {
    let mut schema = Schema { messages: Vec::new(), enums: Vec::new() };
    let public = |package: &str| PUBLIC.iter().any(|known| package.starts_with(known));
    for file in descriptors.file.iter().filter(|file| public(file.package())) {
        let package = format!(".{}", file.package());
        let proto3 = file.syntax() == "proto3";
        for descriptor in &file.enum_type {
            schema.enums.push(names::type_path(&format!("{package}.{}", descriptor.name())));
        }
        for descriptor in &file.message_type {
            schema.add(&package, descriptor, proto3);
        }
    }
    schema
}

impl Schema {
    fn add(&mut self, parent: &str, descriptor: &DescriptorProto, proto3: bool) {
        let proto = format!("{parent}.{}", descriptor.name());
        for nested in &descriptor.enum_type {
            self.enums.push(names::type_path(&format!("{proto}.{}", nested.name())));
        }
        for nested in descriptor.nested_type.iter().filter(|nested| !is_map_entry(nested)) {
            self.add(&proto, nested, proto3);
        }
        let context = Context { proto: &proto, descriptor, proto3 };
        let fields = descriptor.field.iter().map(|field| context.field(field)).collect();
        self.messages.push(Message { path: names::type_path(&proto), fields, proto });
    }
}

/// The message around a field.
struct Context<'a> {
    proto: &'a str,
    descriptor: &'a DescriptorProto,
    proto3: bool,
}

impl Context<'_> {
    fn field(&self, field: &FieldDescriptorProto) -> Field {
        let mut ident = names::field(field.name());
        let mut kind = kind(field);
        let shape = if let Some(value) = self.map_value(field) {
            kind = self::kind(value);
            Shape::Map
        } else if field.label() == Label::Repeated {
            let always_shown = WITH_EMPTY_LISTS.contains(&self.proto) && !is_deprecated(field);
            Shape::Repeated { always_shown }
        } else if let Some(index) = field.oneof_index {
            let oneof = self.descriptor.oneof_decl[index as usize].name();
            ident = names::field(oneof);
            let module = names::module_path(self.proto);
            let (oneof, variant) = (names::variant(oneof), names::variant(field.name()));
            Shape::OneOf { variant: format!("{module}::{oneof}::{variant}") }
        } else if field.label() == Label::Required {
            Shape::Required
        } else if self.proto3 && field.r#type() != Type::Message {
            Shape::Implicit
        } else if field.default_value.is_some() && !is_deprecated(field) {
            Shape::Defaulted
        } else {
            Shape::Optional
        };
        Field { name: field.name().to_owned(), ident, tag: field.number() as u32, shape, kind }
    }

    /// The value field of the map that this field is, if it is one.
    fn map_value(&self, field: &FieldDescriptorProto) -> Option<&FieldDescriptorProto> {
        let entry = self.descriptor.nested_type.iter().find(|nested| {
            is_map_entry(nested) && field.type_name() == format!("{}.{}", self.proto, nested.name())
        })?;
        entry.field.iter().find(|field| field.name() == "value")
    }
}

fn kind(field: &FieldDescriptorProto) -> Kind {
    match field.r#type() {
        Type::Enum => Kind::Enumeration(names::type_path(field.type_name())),
        Type::Message => Kind::Message(field.type_name().to_owned()),
        _ => Kind::Plain,
    }
}

fn is_map_entry(descriptor: &DescriptorProto) -> bool {
    descriptor.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

fn is_deprecated(field: &FieldDescriptorProto) -> bool {
    field.options.as_ref().is_some_and(prost_types::FieldOptions::deprecated)
}
