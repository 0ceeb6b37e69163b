//! The Rust names that prost-build gives to what a .proto file declares.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// Keywords of Rust among the field names of the v1 protos; one that is missing here fails to
/// compile.
const KEYWORDS: [&str; 3] = ["type", "ref", "use"];

/// Path of the type for a full proto name: `.mesos.v1.TaskInfo` is
/// `crate::generated::mesos::v1::TaskInfo`.
pub(crate) fn type_path(proto: &str) -> String {
    let (parent, name) = proto.rsplit_once('.').unwrap_or(("", proto));
    format!("{}::{}", module_path(parent), variant(name))
}

/// Path of the module that holds the types nested in a message or package.
pub(crate) fn module_path(proto: &str) -> String {
    proto
        .split('.')
        .filter(|part| !part.is_empty())
        .fold("crate::generated".to_owned(), |path, part| {
            format!("{path}::{}", part.to_snake_case())
        })
}

/// Name of a struct field.
pub(crate) fn field(proto: &str) -> String {
    let name = proto.to_snake_case();
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

/// Name of a type, or of a variant of a oneof.
pub(crate) fn variant(proto: &str) -> String {
    proto.to_upper_camel_case()
}
