//! Writes, for every message that has resources in it, how to visit them.

use crate::schema::{Field, Kind, Message, Schema, Shape};
use std::collections::BTreeSet;
use std::fmt::Write;

const RESOURCE: &str = ".mesos.v1.Resource";

pub(crate) fn generate(schema: &Schema) -> String {
    let holders = holders(schema);
    let held = schema.messages.iter().filter(|message| holders.contains(message.proto.as_str()));
    held.filter(|message| message.proto != RESOURCE)
        .map(|message| visitor(message, &holders))
        .collect()
}

/// Every message with a resource in it, at any depth.
fn holders(schema: &Schema) -> BTreeSet<&str> {
    let mut holders = BTreeSet::from([RESOURCE]);
    loop {
        let known = holders.len();
        for message in &schema.messages {
            if message.fields.iter().any(|field| holds(field, &holders)) {
                holders.insert(&message.proto);
            }
        }
        if holders.len() == known {
            return holders;
        }
    }
}

fn holds(field: &Field, holders: &BTreeSet<&str>) -> bool {
    matches!(&field.kind, Kind::Message(proto) if holders.contains(proto.as_str()))
}

fn visitor(message: &Message, holders: &BTreeSet<&str>) -> String {
    let mut visits = String::new();
    for field in message.fields.iter().filter(|field| holds(field, holders)) {
        let ident = &field.ident;
        // Writing to a String cannot fail.
        let _ = match &field.shape {
            Shape::Required | Shape::Implicit => {
                writeln!(visits, "self.{ident}.visit_resources(visit);")
            }
            Shape::OneOf { variant } => writeln!(
                visits,
                "if let Some({variant}(held)) = &mut self.{ident} {{ held.visit_resources(visit); }}"
            ),
            Shape::Optional | Shape::Defaulted => writeln!(
                visits,
                "if let Some(held) = &mut self.{ident} {{ held.visit_resources(visit); }}"
            ),
            Shape::Repeated { .. } => {
                writeln!(visits, "for held in &mut self.{ident} {{ held.visit_resources(visit); }}")
            }
            Shape::Map => writeln!(
                visits,
                "for held in self.{ident}.values_mut() {{ held.visit_resources(visit); }}"
            ),
        };
    }
    format!(
        "impl HoldsResources for {} {{
            fn visit_resources(&mut self, visit: &mut impl FnMut(&mut Resource)) {{ {visits} }}
        }}\n",
        message.path
    )
}
