//! Scheduler calls (semantics 44 to 48).

use protocol::v1::scheduler::Call;
use protocol::v1::scheduler::call::Type;

/// Checks that a call has the parts that its type needs.
pub(crate) fn scheduler_call(call: &Call) -> Result<Type, String> {
    let Some(r#type) = call.r#type.and_then(|number| Type::try_from(number).ok()) else {
        return Err(missing("type"));
    };
    if let Some(part) = absent_part(call, r#type) {
        return Err(missing(part));
    }
    if let (Type::Subscribe, Some(subscribe)) = (r#type, &call.subscribe) {
        if call.framework_id != subscribe.framework_info.id {
            return Err("'framework_id' differs from 'subscribe.framework_info.id'".to_owned());
        }
    } else if call.framework_id.is_none() {
        return Err(missing("framework_id"));
    }
    if let (Type::UpdateFramework, Some(update)) = (r#type, &call.update_framework)
        && call.framework_id != update.framework_info.id
    {
        return Err("'framework_id' differs from 'update_framework.framework_info.id'".to_owned());
    }
    if let (Type::Acknowledge, Some(acknowledge)) = (r#type, &call.acknowledge) {
        check_uuid(&acknowledge.uuid)?;
    }
    if let (Type::AcknowledgeOperationStatus, Some(acknowledge)) =
        (r#type, &call.acknowledge_operation_status)
    {
        check_uuid(&acknowledge.uuid)?;
    }
    Ok(r#type)
}

/// The part that a type needs and the call lacks.
fn absent_part(call: &Call, r#type: Type) -> Option<&'static str> {
    let (present, name) = match r#type {
        Type::Unknown | Type::Teardown | Type::Revive | Type::Suppress => return None,
        Type::Subscribe => (call.subscribe.is_some(), "subscribe"),
        Type::Accept => (call.accept.is_some(), "accept"),
        Type::Decline => (call.decline.is_some(), "decline"),
        Type::AcceptInverseOffers => {
            (call.accept_inverse_offers.is_some(), "accept_inverse_offers")
        }
        Type::DeclineInverseOffers => {
            (call.decline_inverse_offers.is_some(), "decline_inverse_offers")
        }
        Type::Kill => (call.kill.is_some(), "kill"),
        Type::Shutdown => (call.shutdown.is_some(), "shutdown"),
        Type::Acknowledge => (call.acknowledge.is_some(), "acknowledge"),
        Type::AcknowledgeOperationStatus => {
            (call.acknowledge_operation_status.is_some(), "acknowledge_operation_status")
        }
        Type::Reconcile => (call.reconcile.is_some(), "reconcile"),
        Type::ReconcileOperations => (call.reconcile_operations.is_some(), "reconcile_operations"),
        Type::Message => (call.message.is_some(), "message"),
        Type::Request => (call.request.is_some(), "request"),
        Type::UpdateFramework => (call.update_framework.is_some(), "update_framework"),
    };
    (!present).then_some(name)
}

/// 16 bytes with one of the five versions (semantics 194, 323).
fn check_uuid(uuid: &[u8]) -> Result<(), String> {
    match uuid {
        [_, _, _, _, _, _, version, ..]
            if uuid.len() == 16 && (1..=5).contains(&(version >> 4)) =>
        {
            Ok(())
        }
        _ => Err("Not a valid UUID".to_owned()),
    }
}

fn missing(part: &str) -> String {
    format!("Expecting '{part}' to be present")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::json;

    fn check(text: &str, expected: Result<Type, &str>) {
        let call: Call = json::from_slice(text.as_bytes()).expect("a call");
        assert_eq!(scheduler_call(&call), expected.map_err(str::to_owned), "{text}");
    }

    /// semantics 45
    #[test]
    fn all_but_three_types_need_a_part_and_all_but_one_an_id() {
        for r#type in (0..).map_while(|number| Type::try_from(number).ok()) {
            let name = r#type.as_str_name();
            let part = name.to_lowercase();
            let alone = format!(r#"{{"type":"{name}","framework_id":{{"value":"f"}}}}"#);
            let needs_none =
                matches!(r#type, Type::Unknown | Type::Teardown | Type::Revive | Type::Suppress);
            let missing = format!("Expecting '{part}' to be present");
            check(&alone, if needs_none { Ok(r#type) } else { Err(&missing) });
            if needs_none {
                let nameless = format!(r#"{{"type":"{name}"}}"#);
                check(&nameless, Err("Expecting 'framework_id' to be present"));
            }
        }
        let whole =
            r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}"#;
        check(whole, Ok(Type::Subscribe));
        let nameless = r#"{"type":"DECLINE","decline":{"offer_ids":[]}}"#;
        check(nameless, Err("Expecting 'framework_id' to be present"));
    }

    /// semantics 46
    #[test]
    fn a_subscription_names_one_framework() {
        let differs = Err("'framework_id' differs from 'subscribe.framework_info.id'");
        let id = |name: &str| format!(r#","{name}":{{"value":"f"}}"#);
        for (outer, inner, expected) in [
            (String::new(), String::new(), Ok(Type::Subscribe)),
            (id("framework_id"), id("id"), Ok(Type::Subscribe)),
            (id("framework_id"), String::new(), differs),
            (String::new(), id("id"), differs),
            (id("framework_id").replace("\"f\"", "\"g\""), id("id"), differs),
        ] {
            let text = format!(
                r#"{{"type":"SUBSCRIBE"{outer},
                    "subscribe":{{"framework_info":{{"user":"u","name":"n"{inner}}}}}}}"#
            );
            check(&text, expected);
        }
    }

    /// semantics 20, 194, 323
    #[test]
    fn each_type_needs_its_parts() {
        check("{}", Err("Expecting 'type' to be present"));
        check(r#"{"type":"NONSENSE"}"#, Err("Expecting 'type' to be present"));
        check(r#"{"type":"UNKNOWN","framework_id":{"value":"f"}}"#, Ok(Type::Unknown));
        check(r#"{"type":"SUBSCRIBE"}"#, Err("Expecting 'subscribe' to be present"));
        check(r#"{"type":"ACCEPT"}"#, Err("Expecting 'accept' to be present"));
        check(r#"{"type":"REVIVE"}"#, Err("Expecting 'framework_id' to be present"));
        check(r#"{"type":"REVIVE","framework_id":{"value":"f"}}"#, Ok(Type::Revive));
        check(
            r#"{"type":"SUBSCRIBE","framework_id":{"value":"f"},
                "subscribe":{"framework_info":{"user":"u","name":"n"}}}"#,
            Err("'framework_id' differs from 'subscribe.framework_info.id'"),
        );
        check(
            r#"{"type":"ACKNOWLEDGE","framework_id":{"value":"f"},"acknowledge":
                {"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"aGk="}}"#,
            Err("Not a valid UUID"),
        );
        // semantics 323: the version of a uuid is one of five
        for (uuid, valid) in [
            ("AAAAAAAAAAAAAAAAAAAAAA==", false),
            ("/////////////////////w==", false),
            ("7hfX7eLnTiCJIcyvkhQCqg==", true),
        ] {
            let text = format!(
                r#"{{"type":"ACKNOWLEDGE","framework_id":{{"value":"f"}},"acknowledge":
                    {{"agent_id":{{"value":"a"}},"task_id":{{"value":"t"}},"uuid":"{uuid}"}}}}"#
            );
            check(&text, if valid { Ok(Type::Acknowledge) } else { Err("Not a valid UUID") });
        }
    }
}
