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

/// semantics 116, 117, 125
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

/// semantics 118
#[test]
fn the_value_is_the_one_that_the_type_names() {
    let wrong = |name| Some(Problem::WrongValue(name));
    check(r#"{"name":"a","type":"SCALAR"}"#, wrong("scalar"));
    check(r#"{"name":"a","type":"RANGES","scalar":{"value":1}}"#, wrong("ranges"));
    check(r#"{"name":"a","type":"SET","set":{},"scalar":{"value":1}}"#, wrong("set"));
    check(r#"{"name":"a","type":"TEXT"}"#, Some(Problem::Text));
}

/// semantics 119
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

/// semantics 119
#[test]
fn sets_do_not_repeat_items() {
    check(r#"{"name":"s","type":"SET","set":{"item":["a","b"]}}"#, None);
    check(
        r#"{"name":"s","type":"SET","set":{"item":["a","b","a"]}}"#,
        Some(Problem::RepeatedItem("a".to_owned())),
    );
}

/// semantics 121, 127
#[test]
fn old_reservations() {
    reserved(r#""role":"a""#, None);
    reserved(r#""role":"a","reservation":{"principal":"p"}"#, None);
    reserved(r#""reservation":{}"#, Some(Problem::ReservedForNobody("dynamically")));
    reserved(r#""role":"a","reservation":{"role":"a"}"#, Some(Problem::OldReservationWithRole));
    reserved(
        r#""role":"a","reservation":{"type":"DYNAMIC"}"#,
        Some(Problem::OldReservationWithRole),
    );
    reserved(r#""role":"a","reservation":{},"revocable":{}"#, Some(Problem::RevocableReservation));
    reserved(r#""role":"a//b""#, role::validate("a//b").err().map(Problem::Role));
}

/// semantics 122, 127
#[test]
fn stacks_of_reservations() {
    let stack = |text: &str, expected| reserved(&format!(r#""reservations":[{text}]"#), expected);
    stack(r#"{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}"#, None);
    stack(r#"{"role":"a"}"#, Some(Problem::IncompleteReservation));
    stack(r#"{"type":"STATIC"}"#, Some(Problem::IncompleteReservation));
    stack(r#"{"type":"UNKNOWN","role":"a"}"#, Some(Problem::IncompleteReservation));
    stack(r#"{"type":"STATIC","role":"*"}"#, Some(Problem::ReservedForNobody("statically")));
    stack(r#"{"type":"DYNAMIC","role":"*"}"#, Some(Problem::ReservedForNobody("dynamically")));
    stack(r#"{"type":"DYNAMIC","role":"a b"}"#, role::validate("a b").err().map(Problem::Role));
    stack(
        r#"{"type":"DYNAMIC","role":"a"},{"type":"DYNAMIC","role":"a"}"#,
        Some(Problem::NotARefinement("a".to_owned(), "a".to_owned())),
    );
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

/// semantics 123
#[test]
fn formats_that_stand_together_agree() {
    let one = r#""reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]"#;
    reserved(&format!(r#"{one},"role":"a","reservation":{{"principal":"p"}}"#), None);
    reserved(&format!(r#"{one},"role":"a""#), None);
    for rest in [r#""role":"b""#, r#""role":"*""#, r#""role":"a","reservation":{}"#] {
        reserved(&format!("{one},{rest}"), Some(Problem::ContradictoryFormats));
    }
    let two = r#""reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]"#;
    for rest in [r#""role":"a""#, r#""role":"a/b""#, r#""reservation":{}"#] {
        reserved(&format!("{two},{rest}"), Some(Problem::ContradictoryFormats));
    }
}

/// semantics 120, 126
#[test]
fn disk_sources() {
    disk(r#""disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}"#, None);
    disk(r#""disk":{"source":{"type":"RAW","id":"x"}}"#, None);
    disk(r#""disk":{"source":{"type":"UNKNOWN"}}"#, Some(Problem::UnknownSource));
    for source in [r#""BLOCK","path":{}"#, r#""BLOCK","mount":{}"#, r#""RAW","mount":{}"#] {
        let source = format!(r#""disk":{{"source":{{"type":{source}}}}}"#);
        disk(&source, Some(Problem::SourceWithRoot));
    }
    disk(r#""disk":{}"#, Some(Problem::EmptyDiskInfo));
    let elsewhere = Problem::DiskInfoElsewhere("cpus".to_owned());
    reserved(r#""disk":{"source":{"type":"RAW"}}"#, Some(elsewhere));
}

/// semantics 124, 126
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
    assert!(error.starts_with("resource 'mem': Invalid scalar resource: value <= 0"), "{error}");
}

/// What clients of Mesos may look for in a message: semantics 117 to 122, 125, 126.
#[test]
fn problems_are_called_what_mesos_calls_them() {
    let owned = str::to_owned;
    for (problem, words) in [
        (Problem::NoName, "Empty resource name"),
        (Problem::NotPositive, "Invalid scalar resource: value <= 0"),
        (Problem::WrongValue("scalar"), "Invalid scalar resource"),
        (Problem::WrongValue("ranges"), "Invalid ranges resource"),
        (Problem::WrongValue("set"), "Invalid set resource"),
        (Problem::Text, "Unsupported resource type"),
        (Problem::BackwardRange(2, 1), "begin > end"),
        (Problem::OverlappingRanges(2), "overlapping ranges"),
        (Problem::RepeatedItem(owned("a")), "duplicated elements"),
        (Problem::DiskInfoElsewhere(owned("cpus")), "DiskInfo should not be set for cpus resource"),
        (
            Problem::ReservedForNobody("dynamically"),
            "Invalid reservation: role \"*\" cannot be dynamically reserved",
        ),
        (Problem::NotARefinement(owned("b"), owned("a")), "role 'b' is not a refinement of 'a'"),
        (Problem::NotWhole, "The 'gpus' resource must be an unsigned integer"),
        (Problem::VolumeWithoutPersistence, "Non-persistent volume not supported"),
        (Problem::EmptyDiskInfo, "DiskInfo is set but empty"),
    ] {
        let text = problem.to_string();
        assert!(text.contains(words), "{text}");
    }
}
