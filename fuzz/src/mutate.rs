//! Inputs: good messages with some damage, one after the other, or nothing that was ever good.

/// Random numbers from a seed (SplitMix64, public domain).
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below the limit, which is not zero.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit as u64)).unwrap_or_default()
    }

    fn octet(&mut self) -> u8 {
        // Values at the edges find more than those between.
        const EDGES: [u8; 10] = [0, 1, 2, 4, 16, 32, 33, 127, 128, 255];
        let [octet, kind, ..] = self.next().to_le_bytes();
        if kind < 128 { EDGES[usize::from(octet) % EDGES.len()] } else { octet }
    }
}

/// One input: up to four pieces, each a damaged seed or noise.
pub fn input(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..=random.below(4) {
        let piece = match seeds.get(random.below(seeds.len() + 1)) {
            Some(seed) => damaged(random, seed.clone()),
            None => (0..random.below(64)).map(|_| random.octet()).collect(),
        };
        input.extend(piece);
    }
    input
}

fn damaged(random: &mut Random, mut octets: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(5) {
        if octets.is_empty() {
            break;
        }
        let at = random.below(octets.len());
        match random.below(5) {
            0 => octets[at] = random.octet(),
            1 => octets[at] ^= 1 << random.below(8),
            2 => octets.insert(at, random.octet()),
            3 => drop(octets.remove(at)),
            _ => octets.truncate(at),
        }
    }
    octets
}
