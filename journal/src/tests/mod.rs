//! Stories of whole journals.

mod cluster;
mod suite;
