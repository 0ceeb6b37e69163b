//! One allocation cycle: for each agent, in random order, whoever comes first and can take what is
//! free gets all of it that is open to its role (semantics 172). Where roles have less than they are
//! guaranteed, there are two rounds over the agents, and the first is theirs alone (semantics 180).

use std::collections::BTreeSet;

use super::book::Holding;
use super::line::Lookout;
use super::search::{Lot, Round, Search, Taker, is_enough};
use super::shuffle::shuffle;
use super::trace::{Skip, Trace};
use super::tree::{Kind, Tree};
use crate::agent::Agent;
use crate::context::Context;
use crate::id::{AgentId, Role};
use crate::offer::OfferSpec;
use crate::quota::{Amounts, Headroom};
use crate::resources::{Quantities, Resources};
use crate::state::State;

/// How many offers one cycle makes at most, so that the journal's entry stays within a few MB. The
/// next cycle goes on.
pub const OFFERS_PER_CYCLE_MAX: usize = 20_000;

/// What to offer to whom: a pure function of its arguments. Looks at `agents`, or at all.
pub fn allocate(
    state: &State,
    context: &Context,
    agents: Option<&[AgentId]>,
    trace: &mut impl Trace,
) -> Vec<OfferSpec> {
    let settings = &*context.settings;
    let mut tree = Tree::new(state, settings);
    if tree.is_empty() {
        return Vec::new();
    }
    let anything = [Amounts::new()];
    // who has a minimum of its own may want less than others
    let least: &[Amounts] = if tree.has_minimums() { &anything } else { &settings.offer_minimums };
    let mut agents = candidates(state, agents, least, trace);
    shuffle(&mut agents, context.seed);
    let headroom = Headroom::new(state);
    if !headroom.is_empty() {
        tree.open_accounts(|role| headroom.account(role));
    }
    let (now, offers) = (context.now, Vec::new());
    let round = Round::Guarantees;
    let mut cycle = Cycle { tree, headroom, least, round, trace, offers };
    let mut left = Vec::new();
    cycle.note_due(None);
    for agent in &agents {
        if cycle.headroom.is_met() || cycle.is_full() {
            break;
        }
        left.push(cycle.give_out(&Lot::new(agent, state, (settings, now)), agent.free()));
    }
    cycle.round = Round::Shares;
    let mut left = left.into_iter();
    for agent in agents {
        if cycle.is_full() {
            break;
        }
        let free = left.next().unwrap_or_else(|| agent.free());
        cycle.give_out(&Lot::new(agent, state, (settings, now)), free);
    }
    cycle.offers
}

/// Agents on which enough is free for any offer.
fn candidates<'a>(
    state: &'a State,
    agents: Option<&[AgentId]>,
    least: &[Amounts],
    trace: &mut impl Trace,
) -> Vec<&'a Agent> {
    let mut found = Vec::new();
    let mut consider = |id: AgentId, free: Option<&Quantities>| {
        let agent = || state.agents.get(&id).filter(|agent| agent.is_active());
        if !free.is_some_and(|free| is_enough(least, free)) {
            trace.skipped(id, Skip::TooLittle);
        } else if let Some(agent) = agent() {
            found.push(&**agent);
        } else {
            trace.skipped(id, Skip::Inactive);
        }
    };
    match agents {
        None => {
            for (id, free) in &state.book.free {
                consider(*id, Some(free));
            }
        }
        Some(agents) => {
            for id in agents.iter().collect::<BTreeSet<_>>() {
                consider(*id, state.book.free.get(id));
            }
        }
    }
    found
}

struct Cycle<'a, T> {
    tree: Tree,
    headroom: Headroom<'a>,
    /// What anybody wants at least.
    least: &'a [Amounts],
    round: Round,
    trace: &'a mut T,
    offers: Vec<OfferSpec>,
}

impl<T: Trace> Cycle<'_, T> {
    fn is_full(&self) -> bool {
        self.offers.len() >= OFFERS_PER_CYCLE_MAX
    }

    fn note_due(&mut self, of: Option<&Role>) {
        let Self { tree, headroom, .. } = self;
        tree.note_due(of, |role| headroom.may_be_due(role));
    }

    /// Gives out what is free on one agent, and says what nobody can take. What is revocable goes into
    /// offers of its own, so that taking it back rescinds nothing else (gaps 62).
    fn give_out(&mut self, lot: &Lot<'_>, free: Resources) -> Resources {
        if !free.iter().any(|resource| resource.revocable) {
            return self.give_out_alike(lot, free);
        }
        let firm = self.give_out_alike(lot, free.filtered(|resource| !resource.revocable));
        let mut left = self.give_out_alike(lot, free.filtered(|resource| resource.revocable));
        left.add_all(&firm);
        left
    }

    fn give_out_alike(&mut self, lot: &Lot<'_>, mut left: Resources) -> Resources {
        while let Some((taker, resources)) = self.taker(lot, &left) {
            let Kind::Client(client) = self.tree.kind(taker) else { break };
            left.remove_all(&resources);
            self.headroom.charge(self.tree.account(self.tree.parent(taker)), &resources);
            let (framework, role) = client.key.clone();
            let charge = Holding::of_offer(&resources);
            let offer = OfferSpec { framework, role: role.clone(), agent: lot.agent, resources };
            self.trace.offered(&offer, self.tree.share(taker));
            self.offers.push(offer);
            self.tree.charge(taker, &charge);
            if self.round == Round::Guarantees {
                self.note_due(Some(&role));
            }
        }
        left
    }

    fn taker(&mut self, lot: &Lot<'_>, left: &Resources) -> Option<Taker> {
        let Self { tree, headroom, least, round, trace, .. } = self;
        let (tree, headroom, round, trace) = (&*tree, &*headroom, *round, &mut **trace);
        let (lookout, waiting, mut spent) = (Lookout::ALL, Vec::new(), Vec::new());
        let sink = &mut spent;
        let search = Search {
            tree,
            headroom,
            least,
            round,
            trace,
            lot,
            left,
            spent: sink,
            lookout,
            waiting,
        };
        let taker = search.taker();
        for (group, names) in spent {
            self.tree.spend(group, names);
        }
        taker
    }
}
