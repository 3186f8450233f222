//! Chance from given bits: the machine has no generator of its own.

/// Spreads 64 bits so that neighbouring inputs give unrelated outputs. Source: the finaliser of
/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(crate) fn mix(bits: u64) -> u64 {
    let mut z = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A source of chance for one step: the step's entropy, spread by a counter.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    entropy: u64,
    drawn: u64,
}

impl Chance {
    pub(crate) fn new(entropy: u64) -> Self {
        Self { entropy, drawn: 0 }
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        mix(self.entropy ^ mix(self.drawn))
    }
}
