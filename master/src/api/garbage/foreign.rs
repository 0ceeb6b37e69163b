//! Ids in a call that name what is another's. Chance alone hardly ever puts the right kind of id into the
//! right field of the right call, so these are gone through one by one.

use serde_json::{Value, json};

use super::mutate::fields;

/// The call with each of its ids replaced by each that is another's, of the same kind. The bystander has
/// these offers.
pub(super) fn variants(call: &Value, offers: &[String]) -> Vec<Value> {
    let mut variants = Vec::new();
    for path in fields(call) {
        let Some(holder) = path.strip_suffix("/value") else { continue };
        for id in others(holder, offers) {
            let mut variant = call.clone();
            *variant.pointer_mut(&path).expect("the field") = json!(id);
            variants.push(variant);
        }
    }
    variants
}

/// What others have of the kind that a field names.
fn others(holder: &str, offers: &[String]) -> Vec<String> {
    // an element of a list is of the kind that the list says
    let name = holder.trim_end_matches(|it: char| it.is_ascii_digit() || it == '/');
    let kind = name.rsplit('/').next().unwrap_or_default().trim_end_matches('s');
    let named = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
    match kind {
        "offer_id" | "inverse_offer_id" => offers.to_vec(),
        "agent_id" => named(&["c-S1", "c-S2", "c-S9"]),
        "framework_id" => named(&["c-0001", "c-0009"]),
        "task_id" | "operation_id" => named(&["b"]),
        "executor_id" => named(&["b", ""]),
        _ => Vec::new(),
    }
}

#[test]
fn each_id_is_replaced_by_others_of_its_kind() {
    let call = json!({"framework_id": {"value": "c-0000"}, "decline": {"offer_ids": [
        {"value": "c-O1"}, {"value": "c-O2"}], "labels": [{"value": "l"}]}});
    let offers = ["c-O8".to_owned()];
    let found = variants(&call, &offers);
    let ids = |call: &Value| {
        ["/framework_id/value", "/decline/offer_ids/0/value", "/decline/offer_ids/1/value"]
            .map(|path| call.pointer(path).and_then(Value::as_str).expect("an id").to_owned())
    };
    let mut found: Vec<_> = found.iter().map(ids).collect();
    found.sort();
    let expected = [
        ["c-0000", "c-O1", "c-O8"],
        ["c-0000", "c-O8", "c-O2"],
        ["c-0001", "c-O1", "c-O2"],
        ["c-0009", "c-O1", "c-O2"],
    ];
    assert_eq!(found, expected);
}
