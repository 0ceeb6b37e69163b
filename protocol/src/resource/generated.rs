//! What the build script wrote: the way to all resources in a message.
#![allow(clippy::all, clippy::pedantic, deprecated)]

use super::format::HoldsResources;
use crate::v1::Resource;

include!(concat!(env!("OUT_DIR"), "/resources.rs"));
