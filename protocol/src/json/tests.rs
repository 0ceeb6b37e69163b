//! One rule of semantics A per test, on the smallest message that shows it.

use super::*;
use crate::v1::{self, agent, master, scheduler};
use serde::Serialize;
use std::fmt::Debug;

/// `text` is read as a message that is written as `expected`.
fn check<M: JsonMessage + Serialize>(text: &str, expected: &str) {
    let message: M = from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(String::from_utf8(to_vec(&message)).unwrap(), expected);
}

fn convert_error<M: JsonMessage + Debug>(text: &str, expected: &str) {
    assert_eq!(
        from_slice::<M>(text.as_bytes()).unwrap_err(),
        JsonError::Convert(expected.to_owned())
    );
}

fn parse_error<M: JsonMessage + Debug>(text: &str) {
    let error = from_slice::<M>(text.as_bytes()).unwrap_err();
    assert!(matches!(error, JsonError::Parse(_)), "{text}: {error:?}");
}

/// A message with a field of the given name and value, set by reading it.
fn health_check(name: &str, value: &str) -> Result<v1::HealthCheck, JsonError> {
    from_slice(format!("{{{name:?}:{value}}}").as_bytes())
}

#[test]
fn names_are_those_of_the_proto_and_camel_case_is_unknown() {
    check::<v1::Parameters>(
        r#"{"parameter":[{"key":"a","value":"b"}],"Parameter":1}"#,
        r#"{"parameter":[{"key":"a","value":"b"}]}"#,
    );
    check::<scheduler::Call>(
        r#"{"type":"TEARDOWN","frameworkId":{"value":"f"}}"#,
        r#"{"type":"TEARDOWN"}"#,
    );
}

#[test]
fn enums_are_names_and_never_numbers() {
    check::<agent::Call>(r#"{"type":"GET_HEALTH"}"#, r#"{"type":"GET_HEALTH"}"#);
    convert_error::<agent::Call>(
        r#"{"type":1}"#,
        "field 'type': invalid type: integer `1`, expected the name of an enum value at line 1 column 9",
    );
}

#[test]
fn an_unknown_enum_name_counts_as_unset() {
    check::<agent::Call>(r#"{"type":"get_health"}"#, "{}");
    check::<agent::Call>(r#"{"type":"1"}"#, "{}");
    check::<v1::CapabilityInfo>(
        r#"{"capabilities":["CHOWN","NEW"]}"#,
        r#"{"capabilities":["CHOWN"]}"#,
    );
    convert_error::<v1::TaskStatus>(
        r#"{"task_id":{"value":"t"},"state":"TASK_NEW"}"#,
        "Missing required fields: state",
    );
}

#[test]
fn an_enum_number_that_no_name_has_is_not_shown() {
    let status = v1::TaskStatus { state: 99, reason: Some(99), ..v1::TaskStatus::default() };
    assert_eq!(to_vec(&status), br#"{"task_id":{"value":""}}"#);
    let capabilities = v1::CapabilityInfo { capabilities: vec![99] };
    assert_eq!(to_vec(&capabilities), br#"{"capabilities":[]}"#);
}

#[test]
fn bytes_are_padded_base64() {
    check::<v1::Label>(r#"{"key":"k"}"#, r#"{"key":"k"}"#);
    check::<v1::Secret>(
        r#"{"type":"VALUE","value":{"data":"aGVsbG8="}}"#,
        r#"{"type":"VALUE","value":{"data":"aGVsbG8="}}"#,
    );
}

#[test]
fn base64_is_read_with_patience() {
    for text in ["aGVsbG8", " aGVs\\nbG8 = ", "aGVsbG8=ignored", "aGVsbG8=="] {
        check::<v1::secret::Value>(&format!(r#"{{"data":"{text}"}}"#), r#"{"data":"aGVsbG8="}"#);
    }
    check::<v1::secret::Value>(r#"{"data":"aGVsb"}"#, r#"{"data":"aGVs"}"#);
    convert_error::<v1::secret::Value>(
        r#"{"data":"aG-s"}"#,
        "field 'data': invalid character '-' in base64 at line 1 column 14",
    );
}

#[test]
fn wide_integers_are_numbers() {
    check::<v1::TimeInfo>(
        r#"{"nanoseconds":9007199254740993}"#,
        r#"{"nanoseconds":9007199254740993}"#,
    );
    check::<v1::TimeInfo>(
        r#"{"nanoseconds":-9223372036854775808}"#,
        r#"{"nanoseconds":-9223372036854775808}"#,
    );
    check::<v1::value::Range>(
        r#"{"begin":0,"end":18446744073709551615}"#,
        r#"{"begin":0,"end":18446744073709551615}"#,
    );
}

#[test]
fn doubles_show_a_fraction_and_infinities_are_text() {
    check::<v1::value::Scalar>(r#"{"value":5}"#, r#"{"value":5.0}"#);
    check::<v1::value::Scalar>(r#"{"value":0.1}"#, r#"{"value":0.1}"#);
    check::<v1::value::Scalar>(r#"{"value":1e+300}"#, r#"{"value":1e+300}"#);
    for special in ["Infinity", "-Infinity", "NaN"] {
        let text = format!(r#"{{"value":"{special}"}}"#);
        check::<v1::value::Scalar>(&text, &text);
    }
}

#[test]
fn unset_fields_with_a_default_are_shown_unless_deprecated() {
    check::<v1::CommandInfo>("{}", r#"{"shell":true}"#);
    check::<v1::Filters>("{}", r#"{"refuse_seconds":5.0}"#);
    check::<v1::FrameworkInfo>(
        r#"{"user":"u","name":"n"}"#,
        r#"{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false}"#,
    );
    check::<v1::FrameworkInfo>(
        r#"{"user":"u","name":"n","role":"*"}"#,
        r#"{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false,"role":"*"}"#,
    );
    check::<v1::container_info::DockerInfo>(
        r#"{"image":"i"}"#,
        r#"{"image":"i","network":"HOST","privileged":false}"#,
    );
}

#[test]
fn empty_lists_are_left_out_but_for_those_of_a_few_answers() {
    check::<v1::Parameters>(r#"{"parameter":[]}"#, "{}");
    check::<master::response::GetOperations>("{}", "{}");
    check::<master::response::GetTasks>(
        "{}",
        r#"{"tasks":[],"unreachable_tasks":[],"completed_tasks":[]}"#,
    );
}

#[test]
fn null_means_unset() {
    check::<scheduler::Call>(r#"{"type":null,"framework_id":null,"accept":null}"#, "{}");
    check::<v1::Parameters>(r#"{"parameter":null}"#, "{}");
    check::<v1::Parameters>(r#"{"parameter":[null]}"#, "{}");
    check::<v1::Filters>(r#"{"refuse_seconds":null}"#, r#"{"refuse_seconds":5.0}"#);
    convert_error::<v1::TaskId>(r#"{"value":null}"#, "Missing required fields: value");
}

#[test]
fn the_last_of_several_values_counts() {
    check::<v1::TaskId>(r#"{"value":"a","value":"b"}"#, r#"{"value":"b"}"#);
    convert_error::<v1::TaskId>(r#"{"value":"a","value":null}"#, "Missing required fields: value");
}

#[test]
fn numbers_and_booleans_may_be_text() {
    check::<v1::TimeInfo>(r#"{"nanoseconds":"5"}"#, r#"{"nanoseconds":5}"#);
    check::<v1::value::Scalar>(r#"{"value":"12.5"}"#, r#"{"value":12.5}"#);
    assert_eq!(
        health_check("consecutive_failures", r#""7""#).unwrap().consecutive_failures,
        Some(7)
    );
    check::<v1::CommandInfo>(r#"{"shell":"false"}"#, r#"{"shell":false}"#);
    for text in ["", "five", "+5", "0x5", "inf"] {
        assert!(health_check("delay_seconds", &format!("{text:?}")).is_err(), "{text}");
    }
    assert!(from_slice::<v1::CommandInfo>(br#"{"shell":"yes"}"#).is_err());
}

#[test]
fn integers_lose_fractions_and_keep_their_range() {
    check::<v1::TimeInfo>(r#"{"nanoseconds":5.9}"#, r#"{"nanoseconds":5}"#);
    check::<v1::TimeInfo>(r#"{"nanoseconds":-5.9}"#, r#"{"nanoseconds":-5}"#);
    let read = |offset: &str| {
        let text = format!(r#"{{"path":"x","offset":{offset}}}"#);
        from_slice::<master::call::ReadFile>(text.as_bytes()).unwrap().offset
    };
    assert_eq!(read("-1"), u64::MAX);
    assert_eq!(read("1e30"), u64::MAX);
    for number in ["4294967296", "-1", "1e30", "-3.5"] {
        assert!(health_check("consecutive_failures", number).is_err(), "{number}");
    }
}

#[test]
fn one_value_is_a_list_of_one() {
    let expected = r#"{"parameter":[{"key":"a","value":"b"}]}"#;
    check::<v1::Parameters>(r#"{"parameter":{"key":"a","value":"b"}}"#, expected);
    check::<v1::CommandInfo>(r#"{"arguments":"a"}"#, r#"{"shell":true,"arguments":["a"]}"#);
    check::<v1::CapabilityInfo>(r#"{"capabilities":"CHOWN"}"#, r#"{"capabilities":["CHOWN"]}"#);
}

#[test]
fn values_of_the_wrong_type_are_named_with_their_path() {
    convert_error::<master::Call>(
        r#"{"list_files":"x"}"#,
        r#"field 'list_files': invalid type: string "x", expected a JSON object at line 1 column 17"#,
    );
    convert_error::<master::Call>(
        r#"{"list_files":{"path":[]}}"#,
        "field 'list_files.path': invalid type: sequence, expected a string at line 1 column 24",
    );
    convert_error::<v1::Parameters>(
        r#"{"parameter":[{"key":"a","value":"b"},{"key":{}}]}"#,
        "field 'parameter[1].key': invalid type: map, expected a string at line 1 column 47",
    );
}

#[test]
fn all_missing_fields_are_named() {
    convert_error::<master::Call>(
        r#"{"type":"LIST_FILES","list_files":{}}"#,
        "Missing required fields: list_files.path",
    );
    convert_error::<scheduler::Call>(
        r#"{"framework_id":{},"decline":{"offer_ids":[{"value":"o"},{}]},"accept":{"filters":{}}}"#,
        "Missing required fields: framework_id.value, decline.offer_ids[1].value",
    );
}

#[test]
fn the_names_of_missing_fields_are_limited() {
    let text = format!(r#"{{"parameter":[{}]}}"#, vec!["{}"; 10_000].join(","));
    let error = from_slice::<v1::Parameters>(text.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 2000, "{}", error.len());
}

#[test]
fn errors_quote_little_of_what_was_sent() {
    let text = format!(r#"{{"list_files":"{}"}}"#, "é".repeat(100_000));
    let error = from_slice::<master::Call>(text.as_bytes()).unwrap_err().to_string();
    assert!(error.chars().count() <= MAX_ERROR_CHARS + 1);
}

#[test]
fn what_is_not_json_is_told_from_what_does_not_fit() {
    for text in ["", "{", "{\"type\":1", "{\"type\":1} x", "{}{}", "{'type':1}", "{\"a\":}", "nul"]
    {
        parse_error::<master::Call>(text);
    }
    parse_error::<master::Call>(r#"{"list_files":{"path":"\ud800"}}"#);
    for text in ["[]", "\"x\"", "1", "null", "true"] {
        convert_error::<master::Call>(text, "Expecting a JSON object");
    }
    let error = list_from_slice::<v1::MachineId>(b"{}").unwrap_err();
    assert_eq!(error, JsonError::Convert("Expecting a JSON array".to_owned()));
}

#[test]
fn what_follows_the_message_is_quoted() {
    let said = "Parsed JSON included non-whitespace trailing characters: ";
    let check = |text: &str, rest: &str| {
        let error = from_slice::<master::Call>(text.as_bytes()).unwrap_err();
        assert_eq!(error, JsonError::Parse(format!("{said}{rest}")));
    };
    check(r#"{"type":"GET_HEALTH"} x"#, " x");
    check("{}{}", "{}");
    check(r#"{"type":5}]"#, "]");
    let endless = format!("{{}}{}", "é".repeat(100_000));
    let error = from_slice::<master::Call>(endless.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with(said) && error.chars().count() <= MAX_ERROR_CHARS + 1);
}

#[test]
fn unknown_fields_may_nest_deeply_and_known_ones_to_a_limit() {
    let nested = |name: &str, depth: usize| {
        format!(
            r#"{}{{"value":"x"}}{}"#,
            format!(r#"{{"value":"x","{name}":"#).repeat(depth),
            "}".repeat(depth)
        )
    };
    check::<v1::ContainerId>(&nested("unknown", 100_000), r#"{"value":"x"}"#);
    assert!(from_slice::<v1::ContainerId>(nested("parent", 100).as_bytes()).is_ok());
    assert!(from_slice::<v1::ContainerId>(nested("parent", 100_000).as_bytes()).is_err());
}

#[test]
fn durations_are_objects() {
    let text = r#"{"agent_id":{"value":"a"},"max_grace_period":{"seconds":600,"nanos":0},"mark_gone":false}"#;
    check::<master::call::DrainAgent>(text, text);
    assert!(from_slice::<master::call::DrainAgent>(br#"{"max_grace_period":"10mins"}"#).is_err());
}

#[test]
fn maps_are_objects() {
    let text = r#"{"quantities":{"cpus":{"value":1.0},"mem":{"value":2.0}}}"#;
    check::<v1::offer_filters::ResourceQuantities>(text, text);
    check::<v1::offer_filters::ResourceQuantities>(r#"{"quantities":{"cpus":null}}"#, "{}");
    convert_error::<v1::offer_filters::ResourceQuantities>(
        r#"{"quantities":{"cpus":{}}}"#,
        "Missing required fields: quantities[cpus].value",
    );
}

#[test]
fn the_last_member_of_a_oneof_counts() {
    check::<scheduler::attribute_constraint::Selector>(
        r#"{"attribute_name":"a","pseudoattribute_type":"ZONE"}"#,
        r#"{"pseudoattribute_type":"ZONE"}"#,
    );
}

#[test]
fn some_endpoints_take_arrays() {
    let ids = list_from_slice::<v1::MachineId>(br#"[{"hostname":"a"},{"ip":"1.2.3.4"}]"#).unwrap();
    assert_eq!(ids.len(), 2);
    let error = list_from_slice::<v1::TaskId>(br#"[{"value":"a"},{}]"#).unwrap_err();
    assert_eq!(error, JsonError::Convert("Missing required fields: [1].value".to_owned()));
    assert!(list_from_slice::<v1::MachineId>(b"{}").is_err());
}

#[test]
fn messages_are_serde_values_too() {
    let status: v1::Filters =
        serde_json::from_value(serde_json::json!({"refuse_seconds": "1"})).unwrap();
    assert_eq!(serde_json::to_value(status).unwrap(), serde_json::json!({"refuse_seconds": 1.0}));
    let error = serde_json::from_str::<Vec<v1::TaskId>>("[{}]").unwrap_err();
    assert!(error.to_string().contains("Missing required fields: value"), "{error}");
}
