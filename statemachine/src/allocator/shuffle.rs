//! A shuffle that depends on nothing but its seed.

/// Puts `items` in an order chosen by `seed`, any with the same chance (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        let chosen = next(&mut state) % (last as u64 + 1);
        items.swap(last, chosen as usize);
    }
}

/// The generator `SplitMix64` (Steele, Lea and Flood 2014): every seed will do.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(seed: u64) -> Vec<u32> {
        let mut items: Vec<_> = (0..50).collect();
        shuffle(&mut items, seed);
        items
    }

    #[test]
    fn nothing_is_lost_and_the_seed_alone_decides() {
        let mut sorted = shuffled(7);
        assert_eq!(sorted, shuffled(7));
        assert_ne!(sorted, shuffled(8));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn every_place_is_about_as_likely() {
        let mut counts = [0u32; 5];
        for seed in 0..5000 {
            let mut items = [0, 1, 2, 3, 4];
            shuffle(&mut items, seed);
            let place = items.iter().position(|item| *item == 0).unwrap_or_default();
            counts[place] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
