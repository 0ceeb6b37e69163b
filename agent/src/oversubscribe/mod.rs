//! Lends out what tasks hold and do not use, and takes it back when the machine has too much to do
//! (surface 14): an estimator says how much may be lent out, a controller which containers have to go.

mod correct;
mod estimate;
mod flags;

use std::sync::Arc;
use std::time::Duration;

use protocol::resource::TextError;
use protocol::v1;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::checkpoint::state::{ExecutorKey, State};
use crate::decide::Input;
use crate::turns::Shared;

pub use flags::{ControllerKind, EstimatorKind, OversubscriptionFlags};

pub(crate) use correct::QosController;
pub(crate) use estimate::ResourceEstimator;

/// Shortest pause between two looks of a controller. The kernel itself counts its load every 5 s.
const CORRECTION_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Why an agent cannot oversubscribe as its flags say.
#[derive(Debug, thiserror::Error)]
pub enum OversubscriptionError {
    /// The flag cannot be read.
    #[error("--oversubscribed-resources is wrong")]
    Text(#[from] TextError),
    /// What is lent out is nobody's for good.
    #[error(
        "--oversubscribed-resources lends out plain amounts, no reservations and no volumes: {0}"
    )]
    NotPlain(String),
    /// There is nothing to lend out.
    #[error("--resource-estimator=fixed needs --oversubscribed-resources")]
    NothingFixed,
    /// Resources were named that nobody would lend out.
    #[error("--oversubscribed-resources is of use with --resource-estimator=fixed only")]
    NotFixed,
    /// The controller would never do anything.
    #[error("--qos-controller=load needs --load-threshold-5min or --load-threshold-15min, or both")]
    NoThreshold,
}

/// A container that runs or is being made, and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Holder {
    pub(crate) executor: ExecutorKey,
    pub(crate) container_id: String,
    /// What it holds, and what its executor does.
    pub(crate) resources: Vec<v1::Resource>,
}

impl Holder {
    /// Whether some of what it holds may be taken back.
    pub(crate) fn is_revocable(&self) -> bool {
        self.resources.iter().any(|resource| resource.revocable.is_some())
    }
}

/// A container that has to go, so that others get what they were promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Correction {
    pub(crate) executor: ExecutorKey,
    pub(crate) container_id: String,
}

/// How this agent oversubscribes.
#[derive(Debug)]
pub(crate) struct Oversubscription {
    estimator: Box<dyn ResourceEstimator>,
    /// None if there is nothing to look for.
    controller: Option<Box<dyn QosController>>,
    estimate_pause: Duration,
    correction_pause: Duration,
}

impl Oversubscription {
    /// What the flags say.
    pub(crate) fn new(flags: &OversubscriptionFlags) -> Result<Self, OversubscriptionError> {
        Ok(Self {
            estimator: estimate::of(flags)?,
            controller: correct::of(flags)?,
            estimate_pause: flags.oversubscribed_resources_interval,
            correction_pause: flags.qos_correction_interval_min.max(CORRECTION_PAUSE_MIN),
        })
    }

    /// What the agent would lend out now.
    pub(crate) fn estimate(&self, known: &Shared) -> Vec<v1::Resource> {
        let holders = holders(&known.read().state);
        self.estimator.estimate(&holders)
    }

    /// Estimates and corrects from time to time, until nobody is left to hear of it.
    pub(crate) async fn run(self, known: Shared, inputs: mpsc::Sender<Input>) {
        let this = Arc::new(self);
        tokio::join!(this.keep_estimating(&known, &inputs), this.keep_correcting(&known, &inputs));
    }

    async fn keep_estimating(&self, known: &Shared, inputs: &mpsc::Sender<Input>) {
        loop {
            sleep(self.estimate_pause).await;
            let estimate = self.estimate(known);
            if inputs.send(Input::Estimated(estimate)).await.is_err() {
                return;
            }
        }
    }

    async fn keep_correcting(&self, known: &Shared, inputs: &mpsc::Sender<Input>) {
        let Some(controller) = &self.controller else { return };
        loop {
            sleep(self.correction_pause).await;
            let holders = holders(&known.read().state);
            let corrections = controller.corrections(&holders);
            if !corrections.is_empty() && inputs.send(Input::Corrected(corrections)).await.is_err()
            {
                return;
            }
        }
    }
}

/// Every container that has not ended.
fn holders(state: &State) -> Vec<Holder> {
    let holder = |(executor, container_id): (ExecutorKey, String)| {
        let mut resources = state.resources_in(&executor, &container_id);
        if let Some(known) = state.executors.get(&executor).filter(|known| known.is_default()) {
            resources.extend(known.info.resources.iter().cloned());
        }
        Holder { executor, container_id, resources }
    };
    state.containers().into_iter().map(holder).collect()
}
