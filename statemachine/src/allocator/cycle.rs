//! One allocation cycle: for each agent, in random order, whoever comes first and can take what is
//! free gets all of it that is open to its role (semantics 172). Where roles have less than they are
//! guaranteed, there are two rounds over the agents, and the first is theirs alone (semantics 180).

use std::collections::BTreeSet;

use super::along::Along;
use super::line::Lookout;
use super::lot::{Lot, Lots, is_enough};
use super::pile::Pile;
use super::search::{Round, Search, Taker};
use super::shuffle::shuffle;
use super::trace::{Skip, Trace};
use super::tree::Tree;
use crate::context::Context;
use crate::id::AgentId;
use crate::offer::OfferSpec;
use crate::quota::{Amounts, Headroom};
use crate::resources::Quantities;
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
    let mut lots = lots((state, context), agents, least, trace);
    shuffle(&mut lots, context.seed);
    let headroom = Headroom::new(state);
    if !headroom.is_empty() {
        tree.open_accounts(&headroom);
    }
    let (round, offers) = (Round::Guarantees, Vec::new());
    let mut cycle = Cycle { tree, headroom, least, round, trace, offers };
    for lot in &mut lots {
        if cycle.headroom.is_met() || cycle.is_full() {
            break;
        }
        cycle.give_out(lot);
    }
    cycle.round = Round::Shares;
    for lot in &mut lots {
        if cycle.is_full() {
            break;
        }
        cycle.give_out(lot);
    }
    cycle.offers
}

/// Agents on which enough is free for any offer.
fn lots<'a>(
    (state, context): (&'a State, &'a Context),
    agents: Option<&[AgentId]>,
    least: &[Amounts],
    trace: &mut impl Trace,
) -> Vec<Lot<'a>> {
    let (mut found, mut lots) = (Vec::new(), Lots::new(state, context));
    let mut along = Along::new(&state.agents);
    let mut consider = |id: AgentId, free: Option<&Quantities>| {
        if !free.is_some_and(|free| is_enough(least, free)) {
            trace.skipped(id, Skip::TooLittle);
        } else if let Some((_, agent)) = along.next(id).filter(|(_, agent)| agent.is_active()) {
            found.push(lots.next(agent, free));
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

struct Cycle<'a, 's, T> {
    tree: Tree<'s>,
    headroom: Headroom<'s>,
    /// What anybody wants at least.
    least: &'a [Amounts],
    round: Round,
    trace: &'a mut T,
    offers: Vec<OfferSpec>,
}

impl<'s, T: Trace> Cycle<'_, 's, T> {
    fn is_full(&self) -> bool {
        self.offers.len() >= OFFERS_PER_CYCLE_MAX
    }

    /// Gives out what is free on one agent; what nobody can take stays. What is revocable goes into
    /// offers of its own, so that taking it back rescinds nothing else (gaps 62).
    fn give_out(&mut self, lot: &mut Lot<'s>) {
        let free = std::mem::take(&mut lot.free);
        if !free.has_revocable() {
            lot.free = self.give_out_alike(lot, free);
            return;
        }
        let (revocable, firm) = free.parted();
        let firm = self.give_out_alike(lot, firm).into_resources();
        let mut left = self.give_out_alike(lot, revocable).into_resources();
        left.add_all(&firm);
        lot.free = left.into();
    }

    fn give_out_alike(&mut self, lot: &Lot<'s>, mut left: Pile) -> Pile {
        while !left.is_empty() {
            let Some(taker) = self.taker(lot, &left) else { break };
            left = left.without(taker.1.resources());
            self.give(lot, taker);
        }
        left
    }

    fn give(&mut self, lot: &Lot<'s>, (seat, pile): Taker) {
        let Some(role) = self.tree.kind(seat.group).group().map(|group| group.role) else { return };
        let Some(framework) = self.tree.team(seat.group).map(|it| it.framework(seat.index)) else {
            return;
        };
        self.headroom.charge(self.tree.account(seat.group), &pile.counted());
        let charge = pile.charge();
        let (role, agent, resources) = (role.clone(), lot.agent.id, pile.into_resources());
        let offer = OfferSpec { framework, role, agent, resources };
        self.trace.offered(&offer, self.tree.share_of(seat));
        self.offers.push(offer);
        self.tree.charge(seat, &charge);
        if self.round == Round::Guarantees {
            self.tree.note_met(seat.group, &self.headroom);
        }
    }

    fn taker(&mut self, lot: &Lot<'s>, left: &Pile) -> Option<Taker> {
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
