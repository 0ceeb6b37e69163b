//! Exchanges recorded from real Mesos (`golden/README.md`): our types read them, and write the
//! same.

use protocol::json::{self, JsonMessage};
use protocol::media::{ContentType, DecodeError, RECORDIO};
use protocol::pb::{self, Checked};
use protocol::v1::{agent, executor, master, scheduler};
use serde::Deserialize;
use serde_json::Value;

const MESSAGES: &str = include_str!("golden/messages.jsonl");
const NEGOTIATION: &str = include_str!("golden/negotiation.jsonl");

/// A message that Mesos sent (`out`) or accepted (`in`).
#[derive(Deserialize)]
struct Recorded {
    message: String,
    direction: String,
    source: String,
    json: Value,
}

/// A request to `/api/v1`, and how Mesos answered.
#[derive(Deserialize)]
struct Exchange {
    name: String,
    method: String,
    content_type: Option<String>,
    accept: Option<String>,
    body: String,
    status: u16,
    response_content_type: Option<String>,
    response: String,
}

fn lines<T: for<'de> Deserialize<'de>>(text: &'static str) -> Vec<T> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[test]
fn messages_of_mesos_are_read_and_written_alike() {
    assert!(MESSAGES.lines().count() > 200);
    for line in MESSAGES.lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        // The message as Mesos wrote it, with its fields in their order.
        let text =
            line.split_once("\"json\":").and_then(|(_, rest)| rest.strip_suffix('}')).unwrap();
        match recorded.message.as_str() {
            "scheduler.Call" => check::<scheduler::Call>(&recorded, text),
            "scheduler.Event" => check::<scheduler::Event>(&recorded, text),
            "executor.Call" => check::<executor::Call>(&recorded, text),
            "executor.Event" => check::<executor::Event>(&recorded, text),
            "master.Call" => check::<master::Call>(&recorded, text),
            "master.Response" => check::<master::Response>(&recorded, text),
            "agent.Call" => check::<agent::Call>(&recorded, text),
            "agent.Response" => check::<agent::Response>(&recorded, text),
            other => panic!("no such message: {other}"),
        }
    }
}

fn check<M>(recorded: &Recorded, text: &str)
where
    M: JsonMessage + Checked + prost::Message + PartialEq + serde::Serialize,
{
    let source = &recorded.source;
    let message: M =
        json::from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{source}: {error}"));
    let written = String::from_utf8(json::to_vec(&message)).unwrap();
    if recorded.direction == "out" {
        assert_eq!(written, *text, "byte for byte: {source}");
    } else {
        // Clients leave out what has a default, and write 5 for 5.0.
        let written = serde_json::from_str(&written).unwrap();
        assert!(contains(&written, &recorded.json), "{source}: {written} lacks of {text}");
    }
    let again: M = pb::from_slice(&pb::to_vec(&message)).unwrap();
    assert!(again == message, "{source} changed on its way through protobuf");
}

/// Whether all of `part` is in `whole`; numbers are equal when their values are, and empty lists
/// are nothing.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part.iter().all(|(key, part)| {
            let empty = part.as_array().is_some_and(Vec::is_empty);
            empty || whole.get(key).is_some_and(|whole| contains(whole, part))
        }),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len()
                && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (Value::Number(whole), Value::Number(part)) => whole.as_f64() == part.as_f64(),
        _ => whole == part,
    }
}

#[test]
fn requests_are_refused_and_answered_as_mesos_does() {
    let exchanges: Vec<Exchange> = lines(NEGOTIATION);
    let posts = exchanges.iter().filter(|exchange| exchange.method == "POST");
    let mut checked = 0;
    for exchange in posts {
        if exchange.name.starts_with("master") {
            negotiate::<master::Call, master::Response>(exchange, |call| call.r#type.is_some());
        } else {
            negotiate::<agent::Call, agent::Response>(exchange, |call| call.r#type.is_some());
        }
        checked += 1;
    }
    assert!(checked > 80, "{checked}");
}

/// As far as this crate goes: media types, the body, and whether there is a type.
fn negotiate<C, R>(exchange: &Exchange, has_type: impl Fn(&C) -> bool)
where
    C: JsonMessage + Checked + prost::Message,
    R: JsonMessage + Checked + prost::Message + serde::Serialize,
{
    let Exchange { name, status, .. } = exchange;
    let response = decode_base64(&exchange.response);
    let text = String::from_utf8_lossy(&response);
    let Some(content_type) = exchange.content_type.as_deref() else {
        assert_eq!(*status, 400, "{name}");
        return;
    };
    let Some(content_type) = ContentType::from_header(content_type) else {
        // The agent takes RecordIO too, and asks for its messages' type (400).
        assert!(*status == 415 || content_type == RECORDIO, "{name}");
        return;
    };
    let call: C = match content_type.decode(&decode_base64(&exchange.body)) {
        Ok(call) => call,
        Err(error) => {
            assert_eq!(*status, 400, "{name}: {error}");
            let syntax = matches!(error, DecodeError::Json(json::JsonError::Parse(_)));
            assert_eq!(
                syntax,
                text.starts_with("Failed to parse body into JSON"),
                "{name}: {error}"
            );
            let missing = "Missing required fields";
            assert_eq!(
                error.to_string().contains(missing),
                text.contains(missing),
                "{name}: {error}"
            );
            return;
        }
    };
    let no_type = text.contains("Expecting 'type' to be present");
    assert_eq!(!has_type(&call), no_type, "{name}: {text}");
    match ContentType::accepted_by(exchange.accept.as_deref()) {
        None => assert_eq!(*status, 406, "{name}"),
        Some(accepted) if *status == 200 => {
            let media_type = exchange.response_content_type.as_deref();
            assert_eq!(media_type, Some(accepted.as_str()), "{name}");
            let read: R = accepted.decode(&response).unwrap();
            assert_eq!(accepted.encode(&read), response, "{name}");
        }
        Some(_) => assert_ne!(*status, 406, "{name}"),
    }
}
