//! One field after another of a call is spoilt.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// What is done to a field.
#[derive(Clone, Debug)]
enum Harm {
    Drop,
    Repeat,
    Negate,
    Replace(Value),
}

/// What a field may hold instead: nothing, too much, something else, or what is another's.
fn replacements() -> Vec<Value> {
    let names = [
        "",
        ".",
        "..",
        "a/b",
        "*",
        "a",
        "b",
        "b/x",
        "a//b",
        "NaN",
        "Infinity",
        "-Infinity",
        "NONSENSE",
        "UNKNOWN",
        "\u{0}",
        "c-0000",
        "c-0001",
        "c-S0",
        "c-S1",
        "c-S9",
        "c-O0",
        "c-O1",
        "c-O2",
        "c-O3",
        "c-O4",
        "c-O5",
        "c-O6",
        "c-O7",
        "cpus",
        "disk",
        "v",
        "AAAA",
    ];
    let numbers = [
        json!(0),
        json!(0.0004),
        json!(1e-310),
        json!(1e16),
        json!(1e300),
        json!(-1e300),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(4_294_967_296_u64),
    ];
    let shapes =
        [json!(null), json!([]), json!({}), json!(true), json!([[]]), json!({"value": {}})];
    let types = [
        "SCALAR",
        "RANGES",
        "SET",
        "TEXT",
        "STATIC",
        "DYNAMIC",
        "MOUNT",
        "RAW",
        "LAUNCH",
        "LAUNCH_GROUP",
        "RESERVE",
        "CREATE",
        "DESTROY",
        "DEFAULT",
        "CUSTOM",
        "DOCKER",
    ];
    let long = json!("x".repeat(300));
    let texts = names.iter().chain(&types).map(|it| json!(it));
    texts.chain(numbers).chain(shapes).chain([long]).collect()
}

fn any_harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        2 => Just(Harm::Drop),
        1 => Just(Harm::Repeat),
        1 => Just(Harm::Negate),
        6 => select(replacements()).prop_map(Harm::Replace),
    ]
}

/// One of these calls with up to three fields spoilt.
pub(super) fn any_of(calls: Vec<Value>) -> impl Strategy<Value = Value> {
    let harms = prop::collection::vec((any::<Index>(), any_harm()), 1..4);
    (select(calls), harms).prop_map(|(mut call, harms)| {
        for (field, harm) in harms {
            let paths = fields(&call);
            if !paths.is_empty() {
                inflict(&mut call, &paths[field.index(paths.len())], harm);
            }
        }
        call
    })
}

/// Pointers to all fields and elements.
pub(super) fn fields(call: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    collect(call, "", &mut paths);
    paths
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    let mut go_on = |key: &str, inner: &Value| {
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        collect(inner, &path, paths);
        paths.push(path);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| go_on(key, inner)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, inner)| go_on(&at.to_string(), inner));
        }
        _ => {}
    }
}

fn inflict(call: &mut Value, path: &str, harm: Harm) {
    let (parent, key) = path.rsplit_once('/').expect("a pointer");
    let key = key.replace("~1", "/").replace("~0", "~");
    match (harm, call.pointer_mut(parent).expect("its parent")) {
        (Harm::Drop, Value::Object(fields)) => drop(fields.remove(&key)),
        (Harm::Drop, Value::Array(items)) => drop(items.remove(key.parse().expect("a place"))),
        (Harm::Repeat, Value::Array(items)) => {
            let again = items[key.parse::<usize>().expect("a place")].clone();
            items.push(again);
        }
        (Harm::Repeat, parent) => {
            let field = parent.get_mut(&key).expect("the field");
            *field = json!([field, field]);
        }
        (Harm::Negate, _) => {
            let field = call.pointer_mut(path).expect("the field");
            if let Some(number) = field.as_f64() {
                *field = json!(-number);
            }
        }
        (Harm::Replace(value), _) => *call.pointer_mut(path).expect("the field") = value,
        (Harm::Drop, _) => {}
    }
}
