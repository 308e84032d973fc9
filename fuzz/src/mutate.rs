//! Inputs: good messages with some damage, one after the other, or nothing that was ever good.

use fastrand::Rng;

/// Values at the edges find more than those between.
const EDGES: [u8; 10] = [0, 1, 2, 4, 16, 32, 33, 127, 128, 255];

fn octet(random: &mut Rng) -> u8 {
    if random.bool() { EDGES[random.usize(..EDGES.len())] } else { random.u8(..) }
}

/// One input: up to four pieces, each a damaged seed or noise.
pub fn input(random: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = Vec::new();
    // Most are one piece: behind a whole message a decoder of messages looks no further.
    let pieces = if random.bool() { 1 } else { random.usize(1..=4) };
    for _ in 0..pieces {
        match seeds.get(random.usize(..=seeds.len())) {
            Some(seed) => input.extend(damaged(random, seed.clone())),
            None => input.extend((0..random.usize(..64)).map(|_| octet(random))),
        }
    }
    input
}

fn damaged(random: &mut Rng, mut octets: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.usize(..5) {
        if octets.is_empty() {
            break;
        }
        let at = random.usize(..octets.len());
        match random.usize(..5) {
            0 => octets[at] = octet(random),
            1 => octets[at] ^= 1 << random.usize(..8),
            2 => octets.insert(at, octet(random)),
            3 => drop(octets.remove(at)),
            _ => octets.truncate(at),
        }
    }
    octets
}
