//! Laws that hold for every message, tried on random ones, with prost-reflect as the second
//! opinion.
//!
//! prost-reflect knows the .proto files and nothing of our code. Its JSON has camelCase, quoted
//! integers and no defaults unless told otherwise, so it can judge all that is in a message, but
//! not the rules of Mesos.

mod random;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseResult, TestRunner};
use prost_reflect::prost::Message;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use protocol::json::{self, JsonError, JsonMessage};
use protocol::pb::{self, Checked, ProtobufError};
use random::Random;
use serde::Serialize;
use std::sync::LazyLock;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let files = ["scheduler", "executor", "master", "agent", "allocator", "resource_provider"];
    let files = files.map(|name| format!("mesos/v1/{name}/{name}.proto"));
    let descriptors = protox::compile(files, [concat!(env!("CARGO_MANIFEST_DIR"), "/proto")]);
    DescriptorPool::from_file_descriptor_set(descriptors.unwrap()).unwrap()
});

/// A message in both encodings, protobuf first. Both are canonical, so that equal messages have
/// equal bytes.
type Encoded = (Vec<u8>, Vec<u8>);

/// One type of message: its full name, and our readers for it.
struct Subject {
    name: &'static str,
    from_protobuf: fn(&[u8]) -> Result<Encoded, ProtobufError>,
    from_json: fn(&[u8]) -> Result<Encoded, JsonError>,
}

impl Subject {
    fn new<M>(name: &'static str) -> Self
    where
        M: Message + Default + JsonMessage + Checked + Serialize,
    {
        Self {
            name,
            from_protobuf: |bytes| pb::from_slice::<M>(bytes).map(|message| encoded(&message)),
            from_json: |text| json::from_slice::<M>(text).map(|message| encoded(&message)),
        }
    }

    fn descriptor(&self) -> MessageDescriptor {
        POOL.get_message_by_name(self.name).unwrap()
    }
}

fn encoded<M: Message + JsonMessage + Serialize>(message: &M) -> Encoded {
    (pb::to_vec(message), json::to_vec(message))
}

/// Every v1 message; the build script lists them.
fn subjects() -> Vec<Subject> {
    include!(concat!(env!("OUT_DIR"), "/subjects.rs"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_whole_message_keeps_everything_in_both_encodings(bytes in random::entropy()) {
        subjects().iter().try_for_each(|subject| whole(subject, &bytes))?;
    }

    #[test]
    fn a_message_is_refused_if_and_only_if_it_lacks_a_required_field(bytes in random::entropy()) {
        subjects().iter().try_for_each(|subject| incomplete(subject, &bytes))?;
    }

    #[test]
    fn damaged_input_is_read_or_refused_and_no_more(bytes in random::entropy(), at in any::<usize>()) {
        subjects().iter().try_for_each(|subject| damaged(subject, &bytes, at))?;
    }
}

#[test]
fn random_messages_reach_every_field() {
    let mut runner = TestRunner::deterministic();
    let mut unreached: Vec<String> = Vec::new();
    for subject in subjects() {
        let descriptor = subject.descriptor();
        let mut sample = || {
            let bytes = random::entropy().new_tree(&mut runner).unwrap().current();
            Random::whole(&bytes).message(&descriptor)
        };
        let samples: Vec<DynamicMessage> = (0..100).map(|_| sample()).collect();
        let fields = descriptor.fields().filter(|field| !random::is_left_out(field));
        let never = fields.filter(|field| !samples.iter().any(|sample| sample.has_field(field)));
        unreached.extend(never.map(|field| field.full_name().to_owned()));
    }
    assert_eq!(unreached, Vec::<String>::new());
}

fn whole(subject: &Subject, bytes: &[u8]) -> TestCaseResult {
    let name = subject.name;
    let sent = Random::whole(bytes).message(&subject.descriptor());
    let (binary, text) = (subject.from_protobuf)(&sent.encode_to_vec()).map_err(fail)?;
    let again = (subject.from_protobuf)(&binary).map_err(fail)?;
    prop_assert_eq!(again, (binary.clone(), text.clone()), "{} changes in protobuf", name);

    // Reading sets what had been unset and has a default, which the text does not show.
    let (defaulted, again) = (subject.from_json)(&text).map_err(fail)?;
    prop_assert_eq!(shown(&again), shown(&text), "{} changes in JSON", name);

    let judged = reflect_read(subject, &text).encode_to_vec();
    let (judged, _) = (subject.from_protobuf)(&judged).map_err(fail)?;
    prop_assert_eq!(judged, defaulted, "{}: prost-reflect reads our JSON differently", name);
    let (read, _) = (subject.from_json)(&reflect_write(&sent)).map_err(fail)?;
    prop_assert_eq!(read, binary, "{}: we read the JSON of prost-reflect differently", name);
    Ok(())
}

fn incomplete(subject: &Subject, bytes: &[u8]) -> TestCaseResult {
    let mut random = Random::incomplete(bytes);
    let sent = random.message(&subject.descriptor());
    let binary = (subject.from_protobuf)(&sent.encode_to_vec());
    let text = (subject.from_json)(&reflect_write(&sent));
    if random.omitted == 0 {
        prop_assert_eq!(binary.map_err(fail)?, text.map_err(fail)?, "{}", subject.name);
        return Ok(());
    }
    let missing = matches!(binary, Err(ProtobufError::Missing(_)));
    prop_assert!(missing, "{}: {:?}", subject.name, binary);
    let missing = matches!(&text, Err(JsonError::Convert(text)) if text.starts_with("Missing"));
    prop_assert!(missing, "{}: {:?}", subject.name, text);
    Ok(())
}

/// One bit is flipped, or the end is cut off; half of a JSON text is no JSON.
fn damaged(subject: &Subject, bytes: &[u8], at: usize) -> TestCaseResult {
    let sent = Random::whole(bytes).message(&subject.descriptor());
    let text = reflect_write(&sent);
    let half = &text[..at % text.len()];
    prop_assert!(matches!((subject.from_json)(half), Err(JsonError::Parse(_))), "{:?}", half);
    let binary = sent.encode_to_vec();
    let _ = (subject.from_protobuf)(&binary[..at % (binary.len() + 1)]);
    let _ = (subject.from_json)(&flipped(text, at));
    let _ = (subject.from_protobuf)(&flipped(binary, at));
    Ok(())
}

fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let index = at % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(index) {
        *byte ^= 1 << (at / 7 % 8);
    }
    bytes
}

/// A text that a failed assertion can show.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn reflect_read(subject: &Subject, text: &[u8]) -> DynamicMessage {
    let mut json = serde_json::Deserializer::from_slice(text);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(subject.descriptor(), &mut json, &options).unwrap()
}

fn reflect_write(message: &DynamicMessage) -> Vec<u8> {
    let mut text = Vec::new();
    let options =
        SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let mut json = serde_json::Serializer::new(&mut text);
    message.serialize_with_options(&mut json, &options).unwrap();
    text
}

fn fail(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}
