//! A fast hash for finding equal bytes again. It decides no order and is part of no output.

/// Odd numbers without pattern (fraction of π).
const K: [u64; 3] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7345, 0xA409_3822_299F_31D1];

const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Continues `seed` with `bytes`.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<16>();
    let mut state = seed ^ fold(bytes.len() as u64 ^ K[0], K[1]);
    for word in words {
        let word = u128::from_le_bytes(*word);
        state = fold(state ^ word as u64, K[2] ^ (word >> 64) as u64);
    }
    if !rest.is_empty() {
        let mut last = [0; 16];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let word = u128::from_le_bytes(last);
        state = fold(state ^ word as u64, K[2] ^ (word >> 64) as u64);
    }
    fold(state ^ K[1], K[0])
}
