//! Simulated clusters: fresh seeds, old failures, equal traces, and planted faults that must be found.

mod determinism;
mod regressions;
mod seeds;
mod teeth;

use proptests::Shape;

/// The cluster that most tests run.
const SHAPE: Shape = Shape { masters: 3, agents: 3, schedulers: 5, tasks: 6 };
