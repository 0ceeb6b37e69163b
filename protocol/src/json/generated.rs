//! What the build script wrote: `JsonMessage` and the serde traits for every v1 message.
#![allow(clippy::all, clippy::pedantic, deprecated, unused_variables)]

use super::codec::{Enumeration, Name, Nested, Plain};
use super::read::{Input, read_message};
use super::write::{Output, write_message};
use super::{JsonMessage, MapAccess, SerializeMap};

include!(concat!(env!("OUT_DIR"), "/json.rs"));
