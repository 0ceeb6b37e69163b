//! Stories of whole journals.

mod cluster;
mod crash;
mod faults;
mod files;
mod flips;
mod hostile;
mod members;
mod promises;
mod repair;
mod suite;
