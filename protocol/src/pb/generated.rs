//! What the build script wrote: a table for every v1 message.
#![allow(clippy::all, clippy::pedantic, deprecated, unused_variables)]

use super::check::{Checked, Content, Field, Table};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
