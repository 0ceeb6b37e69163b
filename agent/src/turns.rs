//! The one loop: inputs are decided, events go to disk, and only then effects go out.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::checkpoint::log::{CheckpointError, Log};
use crate::checkpoint::state::State;
use crate::decide::live::Live;
use crate::decide::{Effect, End, Input, Settings, Turn};
use crate::effects::Effects;
use crate::history::History;

/// Inputs that may wait for the loop; whoever has more waits with them.
pub(crate) const INPUT_LIMIT: usize = 4_096;
/// Inputs that are decided in one turn, and written together.
const TURN_LIMIT: usize = 512;

/// Everything the agent knows, for those who only look. Views may be ahead of the disk by the turn
/// under way.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) state: State,
    pub(crate) live: Live,
    pub(crate) history: History,
}

/// [`Known`], with the loop as its only writer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<RwLock<Known>>);

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self(Arc::new(RwLock::new(Known { state, ..Known::default() })))
    }

    /// A look at everything. Not to be held across a wait.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Known> {
        // A panic in a turn ends the loop, and the agent with it.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) known: Shared,
    pub(crate) settings: Settings,
    pub(crate) log: Log,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) effects: Effects,
    /// Effects that wait for the disk, in order, each group with the number of its batch.
    pub(crate) parked: VecDeque<(u64, Vec<Effect>)>,
}

impl Turns {
    /// Runs until the agent is to end, and says why.
    pub(crate) async fn run(mut self) -> Result<End, CheckpointError> {
        loop {
            self.release();
            if let Some(end) = self.effects.stopped.take() {
                return Ok(end);
            }
            let next = self.known.read().live.timers.next();
            let has_room = self.log.has_room();
            tokio::select! {
                written = self.log.wait() => written?,
                input = self.inputs.recv(), if has_room => {
                    // Nobody is left to ask.
                    let Some(input) = input else { return Ok(End::Left) };
                    let waiting = std::iter::from_fn(|| self.inputs.try_recv().ok());
                    let inputs = std::iter::once(input).chain(waiting.take(TURN_LIMIT)).collect();
                    self.turn(inputs)?;
                }
                () = sleep_until_any(next), if has_room => self.turn(Vec::new())?,
            }
        }
    }

    /// Decides what has come and what is due, and hands the events to the disk.
    fn turn(&mut self, inputs: Vec<Input>) -> Result<(), CheckpointError> {
        self.decide(|turn| {
            for input in inputs {
                turn.take(input);
            }
            while let Some(timer) = turn.live.timers.take_due(turn.now) {
                turn.take(Input::Due(timer));
            }
            turn.resize();
        })
    }

    /// Runs one decision, whatever it is made of.
    pub(crate) fn decide(
        &mut self,
        decision: impl FnOnce(&mut Turn<'_>),
    ) -> Result<(), CheckpointError> {
        let known = self.known.clone();
        let mut known = known.write();
        let Known { state, live, history } = &mut *known;
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut turn = Turn::new(state, live, &self.settings, Instant::now(), clock.as_secs_f64());
        decision(&mut turn);
        let (events, effects, forgotten) = (turn.events, turn.effects, turn.forgotten);
        for forgotten in forgotten {
            history.keep(forgotten);
        }
        let number = self.log.append(events, state)?;
        self.parked.push_back((number, effects));
        Ok(())
    }

    fn release(&mut self) {
        while let Some((number, _)) = self.parked.front()
            && *number <= self.log.written()
        {
            let effects = self.parked.pop_front().map(|(_, effects)| effects);
            for effect in effects.into_iter().flatten() {
                self.effects.carry_out(effect);
            }
        }
    }
}

async fn sleep_until_any(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
