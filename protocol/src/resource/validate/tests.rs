//! One rule per test, on JSON that breaks just that one.
#![expect(clippy::needless_pass_by_value, reason = "expectations read better as values")]

use super::*;
use crate::json;

fn check(text: &str, expected: Option<Problem>) {
    let resource: Resource = json::from_slice(text.as_bytes()).unwrap();
    assert_eq!(validate(&resource).err().map(|error| error.problem), expected, "{text}");
}

fn scalar(name: &str, value: &str, expected: Option<Problem>) {
    check(
        &format!(r#"{{"name":"{name}","type":"SCALAR","scalar":{{"value":{value}}}}}"#),
        expected,
    );
}

fn reserved(rest: &str, expected: Option<Problem>) {
    check(&format!(r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}},{rest}}}"#), expected);
}

fn disk(rest: &str, expected: Option<Problem>) {
    check(&format!(r#"{{"name":"disk","type":"SCALAR","scalar":{{"value":1}},{rest}}}"#), expected);
}

#[test]
fn scalars_are_positive_after_rounding() {
    scalar("cpus", "0.0005", None);
    scalar("cpus", "0", None);
    scalar("cpus", "0.0004", Some(Problem::NotPositive));
    scalar("cpus", "-1", Some(Problem::NotPositive));
    scalar("cpus", r#""NaN""#, Some(Problem::NotPositive));
    scalar("cpus", r#""Infinity""#, Some(Problem::TooLarge));
    scalar("cpus", "1e16", Some(Problem::TooLarge));
    scalar("", "1", Some(Problem::NoName));
    scalar("gpus", "2", None);
    scalar("gpus", "2.5", Some(Problem::NotWhole));
}

#[test]
fn the_value_is_the_one_that_the_type_names() {
    check(r#"{"name":"a","type":"SCALAR"}"#, Some(Problem::WrongValue));
    check(r#"{"name":"a","type":"RANGES","scalar":{"value":1}}"#, Some(Problem::WrongValue));
    check(r#"{"name":"a","type":"SET","set":{},"scalar":{"value":1}}"#, Some(Problem::WrongValue));
    check(r#"{"name":"a","type":"TEXT"}"#, Some(Problem::Text));
}

#[test]
fn ranges_neither_go_backward_nor_overlap() {
    let ranges = |text: &str, expected| {
        check(
            &format!(r#"{{"name":"ports","type":"RANGES","ranges":{{"range":[{text}]}}}}"#),
            expected,
        );
    };
    ranges("", None);
    ranges(r#"{"begin":5,"end":9},{"begin":1,"end":4}"#, None);
    ranges(r#"{"begin":2,"end":1}"#, Some(Problem::BackwardRange(2, 1)));
    ranges(r#"{"begin":4,"end":9},{"begin":1,"end":4}"#, Some(Problem::OverlappingRanges(4)));
    ranges(r#"{"begin":1,"end":9},{"begin":2,"end":3}"#, Some(Problem::OverlappingRanges(2)));
}

#[test]
fn sets_do_not_repeat_items() {
    check(r#"{"name":"s","type":"SET","set":{"item":["a","b"]}}"#, None);
    check(
        r#"{"name":"s","type":"SET","set":{"item":["a","b","a"]}}"#,
        Some(Problem::RepeatedItem("a".to_owned())),
    );
}

#[test]
fn old_reservations() {
    reserved(r#""role":"a""#, None);
    reserved(r#""role":"a","reservation":{"principal":"p"}"#, None);
    reserved(r#""reservation":{}"#, Some(Problem::ReservedForNobody));
    reserved(r#""role":"a","reservation":{"role":"a"}"#, Some(Problem::OldReservationWithRole));
    reserved(
        r#""role":"a","reservation":{"type":"DYNAMIC"}"#,
        Some(Problem::OldReservationWithRole),
    );
    reserved(r#""role":"a","reservation":{},"revocable":{}"#, Some(Problem::RevocableReservation));
    reserved(r#""role":"a//b""#, role::validate("a//b").err().map(Problem::Role));
}

#[test]
fn stacks_of_reservations() {
    let stack = |text: &str, expected| reserved(&format!(r#""reservations":[{text}]"#), expected);
    stack(r#"{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}"#, None);
    stack(r#"{"role":"a"}"#, Some(Problem::IncompleteReservation));
    stack(r#"{"type":"STATIC"}"#, Some(Problem::IncompleteReservation));
    stack(r#"{"type":"UNKNOWN","role":"a"}"#, Some(Problem::IncompleteReservation));
    stack(r#"{"type":"STATIC","role":"*"}"#, Some(Problem::ReservedForNobody));
    stack(
        r#"{"type":"DYNAMIC","role":"a"},{"type":"STATIC","role":"a/b"}"#,
        Some(Problem::StaticRefinement),
    );
    stack(
        r#"{"type":"DYNAMIC","role":"a"},{"type":"DYNAMIC","role":"b"}"#,
        Some(Problem::NotARefinement("b".to_owned(), "a".to_owned())),
    );
    reserved(
        r#""reservations":[{"type":"DYNAMIC","role":"a"}],"revocable":{}"#,
        Some(Problem::RevocableReservation),
    );
}

#[test]
fn formats_that_stand_together_agree() {
    let one = r#""reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]"#;
    reserved(&format!(r#"{one},"role":"a","reservation":{{"principal":"p"}}"#), None);
    reserved(&format!(r#"{one},"role":"a""#), None);
    for rest in [r#""role":"b""#, r#""role":"*""#, r#""role":"a","reservation":{}"#] {
        reserved(&format!("{one},{rest}"), Some(Problem::ContradictoryFormats));
    }
    let two = r#""reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]"#;
    reserved(&format!(r#"{two},"role":"a""#), Some(Problem::ContradictoryFormats));
}

#[test]
fn disk_sources() {
    disk(r#""disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}"#, None);
    disk(r#""disk":{"source":{"type":"RAW","id":"x"}}"#, None);
    disk(r#""disk":{"source":{"type":"UNKNOWN"}}"#, Some(Problem::UnknownSource));
    disk(r#""disk":{"source":{"type":"BLOCK","path":{}}}"#, Some(Problem::SourceWithRoot));
    disk(r#""disk":{}"#, Some(Problem::EmptyDiskInfo));
    reserved(r#""disk":{"source":{"type":"RAW"}}"#, Some(Problem::DiskInfoElsewhere));
}

#[test]
fn persistent_volumes() {
    let volume = r#""volume":{"container_path":"data","mode":"RW"}"#;
    let persistence = r#""persistence":{"id":"v"}"#;
    let on = |reservation: &str, info: &str, expected| {
        disk(&format!(r#"{reservation}"disk":{{{info}}}"#), expected);
    };
    let both = format!("{persistence},{volume}");
    on(r#""role":"a","#, &both, None);
    on(r#""shared":{},"role":"a","#, &both, None);
    on(r#""reservations":[{"type":"DYNAMIC","role":"a"}],"#, &both, None);
    on("", &both, Some(Problem::UnreservedVolume));
    on(r#""role":"a","revocable":{},"#, &both, Some(Problem::RevocableVolume));
    on(r#""role":"a","#, persistence, Some(Problem::VolumeWithoutMountPoint));
    on(
        r#""role":"a","#,
        r#""persistence":{"id":"v"},"volume":{"container_path":"data","mode":"RO"}"#,
        Some(Problem::ReadOnlyVolume),
    );
    on(r#""role":"a","#, volume, Some(Problem::VolumeWithoutPersistence));
    on(
        r#""role":"a","#,
        r#""persistence":{"id":"v"},"volume":{"container_path":"data","mode":"RW","host_path":"/h"}"#,
        Some(Problem::VolumeWithoutMountPoint),
    );
    on(
        r#""role":"a","#,
        &format!(r#""persistence":{{"id":"a/b"}},{volume}"#),
        id::validate("a/b").err().map(Problem::PersistenceId),
    );
    reserved(r#""shared":{}"#, Some(Problem::SharedNonVolume));
}

#[test]
fn errors_name_the_resource() {
    let resources = [Resource::scalar("cpus", 1.0), Resource::scalar("mem", -1.0)];
    let error = validate_all(&resources).unwrap_err().to_string();
    assert!(error.starts_with("resource 'mem': a scalar must be greater than 0"), "{error}");
}
