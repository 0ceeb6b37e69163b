//! Lists all v1 messages for the property tests, which try each of them.

use crate::schema::Schema;

pub(crate) fn generate(schema: &Schema) -> String {
    let public = schema.messages.iter().filter_map(|message| {
        let path = message.path.strip_prefix("crate::generated::mesos::")?;
        let name = message.proto.trim_start_matches('.');
        Some(format!("Subject::new::<protocol::{path}>({name:?}),\n"))
    });
    format!("vec![{}]", public.collect::<String>())
}
