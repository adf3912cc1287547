//! A made-up full table in BMP, shaped as the default-free zone: lengths, sharing of attributes and sizes of AS paths. The same numbers
//! always give the same bytes.

/// Bytes of UPDATE that a router packs (RFC 4271 §4.1).
const UPDATE_MAX: usize = 4096;
/// Prefix lengths of the IPv4 table, per mille (BGP reports of 2025, rounded).
const LENGTHS_V4: [(u8, u32); 13] =
    [(24, 600), (23, 100), (22, 110), (21, 48), (20, 45), (19, 26), (18, 14), (17, 9), (16, 34), (15, 6), (14, 4), (13, 2), (12, 2)];
/// The same for IPv6.
const LENGTHS_V6: [(u8, u32); 12] =
    [(48, 470), (32, 135), (44, 90), (40, 85), (46, 45), (36, 40), (47, 35), (29, 35), (45, 25), (42, 20), (33, 10), (34, 10)];
/// Prefixes that share one attribute set: how many of 100 sets have at least and at most so many. About 15 sets per 100 prefixes.
const SHARING: [(u32, u32, u32); 4] = [(55, 1, 1), (25, 2, 4), (15, 5, 20), (5, 21, 110)];

/// Numbers without pattern and without chance (xorshift64*).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `n`.
    fn below(&mut self, n: u32) -> u32 {
        (((self.roll() >> 32) * u64::from(n)) >> 32) as u32
    }

    fn pick<const N: usize>(&mut self, weights: &[(u8, u32); N]) -> u8 {
        let mut left = self.below(weights.iter().map(|(_, w)| w).sum());
        for (value, weight) in weights {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        24
    }
}

/// A prefix: left-aligned address and length.
type Net = (u128, u8);

/// Prefixes of both families in groups that share their attributes.
pub struct Plan {
    v4: Vec<Net>,
    v6: Vec<Net>,
    groups: Vec<(Family, std::ops::Range<usize>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Whose table it is, and in which view.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// Number of the peer; decides its address, AS and next hop.
    pub peer: u8,
    /// After policy: with LOCAL_PREF and a community of the router.
    pub post_policy: bool,
}

impl Plan {
    /// Makes a table of `v4` and `v6` prefixes.
    pub fn new(v4: usize, v6: usize) -> Self {
        let mut dice = Dice(0x1234_5678_9ABC_DEF1);
        let v4 = nets(v4, &mut dice, |dice| {
            let address = u128::from(0x0100_0000 + dice.below(0xDE00_0000)) << 96;
            (address, dice.pick(&LENGTHS_V4))
        });
        let v6 = nets(v6, &mut dice, |dice| {
            // allocations of registries: sixteen blocks, 3,000 networks in each
            let block = 0x2400 + u128::from(dice.below(16)) * 0x60;
            let network = u128::from(dice.below(3000).wrapping_mul(0x9E37) & 0xFFFF);
            (block << 112 | network << 96 | u128::from(dice.below(1 << 16)) << 80, dice.pick(&LENGTHS_V6))
        });
        let mut groups = Vec::new();
        for (family, length) in [(Family::V4, v4.len()), (Family::V6, v6.len())] {
            let mut from = 0;
            while from < length {
                let mut left = dice.below(100);
                let (_, least, most) = *SHARING
                    .iter()
                    .find(|(w, _, _)| {
                        left < *w || {
                            left -= w;
                            false
                        }
                    })
                    .unwrap_or(&SHARING[0]);
                let to = (from + (least + dice.below(most - least + 1)) as usize).min(length);
                groups.push((family, from..to));
                from = to;
            }
        }
        Self { v4, v6, groups }
    }

    /// Returns how many attribute sets there are.
    pub fn sets(&self) -> usize {
        self.groups.len()
    }

    /// Returns the dump of this table as `speaker` sends it: Peer Up is not needed, End-of-RIB stands at its end.
    pub fn stream(&self, speaker: Speaker) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, (family, range)) in self.groups.iter().enumerate() {
            let nets = if *family == Family::V4 { &self.v4 } else { &self.v6 };
            let attributes = attributes(number as u64, speaker, *family);
            let mut nlri = Vec::new();
            for net in nets.get(range.clone()).unwrap_or_default() {
                if attributes.len() + nlri.len() + 64 > UPDATE_MAX {
                    monitoring(&mut out, speaker, &update(&attributes, &nlri, *family));
                    nlri.clear();
                }
                nlri.push(net.1);
                nlri.extend(net.0.to_be_bytes().iter().take(usize::from(net.1.div_ceil(8))));
            }
            monitoring(&mut out, speaker, &update(&attributes, &nlri, *family));
        }
        monitoring(&mut out, speaker, &[0, 0, 0, 0]);
        monitoring(&mut out, speaker, &[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]);
        out
    }
}

/// Makes `count` different prefixes in an order without pattern.
fn nets(count: usize, dice: &mut Dice, mut one: impl FnMut(&mut Dice) -> Net) -> Vec<Net> {
    let mut out: Vec<Net> = Vec::new();
    while out.len() < count {
        let missing = count - out.len();
        for _ in 0..missing + missing / 8 + 16 {
            let (address, length) = one(dice);
            out.push((address & (u128::MAX << (128 - u32::from(length))), length));
        }
        out.sort_unstable();
        out.dedup();
    }
    // the order of a dump is that of nobody's prefixes
    for i in (1..out.len()).rev() {
        out.swap(i, dice.below(u32::try_from(i + 1).unwrap_or(u32::MAX)) as usize);
    }
    out.truncate(count);
    out
}

fn attribute(out: &mut Vec<u8>, flags: u8, kind: u8, value: &[u8]) {
    out.extend([flags, kind, value.len() as u8]);
    out.extend_from_slice(value);
}

/// The attributes of a group as one speaker has them.
fn attributes(number: u64, speaker: Speaker, family: Family) -> Vec<u8> {
    let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..3 {
        dice.roll();
    }
    let mut out = Vec::new();
    attribute(&mut out, 0x40, 1, &[if dice.below(10) == 0 { 2 } else { 0 }]);
    let mut path = vec![64_500 + u32::from(speaker.peer)];
    path.extend((0..1 + dice.below(2)).map(|_| [174, 1299, 2914, 3257, 3356, 6453, 6461, 6762][dice.below(8) as usize]));
    path.extend((0..1 + dice.below(3)).map(|_| if dice.below(10) < 4 { 196_608 + dice.below(80_000) } else { 1 + dice.below(64_000) }));
    let mut value = vec![2, path.len() as u8];
    path.iter().for_each(|asn| value.extend(asn.to_be_bytes()));
    attribute(&mut out, 0x40, 2, &value);
    if family == Family::V4 {
        attribute(&mut out, 0x40, 3, &[192, 0, 2, speaker.peer]);
    }
    if dice.below(5) == 0 {
        attribute(&mut out, 0x80, 4, &dice.below(500).to_be_bytes());
    }
    if speaker.post_policy {
        attribute(&mut out, 0x40, 5, &100_u32.to_be_bytes());
    }
    if dice.below(12) == 0 {
        attribute(&mut out, 0xC0, 7, &[&path[path.len() - 1].to_be_bytes()[..], &dice.below(u32::MAX).to_be_bytes()].concat());
    }
    let mut communities: Vec<u32> = (0..dice.below(7)).map(|_| (path[1] & 0xFFFF) << 16 | dice.below(3000)).collect();
    communities.extend(speaker.post_policy.then_some(65_000 << 16 | u32::from(speaker.peer)));
    if !communities.is_empty() {
        attribute(&mut out, 0xC0, 8, &communities.iter().flat_map(|c| c.to_be_bytes()).collect::<Vec<_>>());
    }
    if dice.below(10) == 0 {
        attribute(&mut out, 0xC0, 32, &[path[1], 1, dice.below(900)].iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>());
    }
    out
}

fn update(attributes: &[u8], nlri: &[u8], family: Family) -> Vec<u8> {
    let mut all = attributes.to_vec();
    if family == Family::V6 {
        let mut hop = [0; 16];
        hop[..4].copy_from_slice(&[0x20, 1, 0x0D, 0xB8]);
        let value = [&[0, 2, 1, 16][..], &hop, &[0], nlri].concat();
        all.extend([0x90, 14]);
        all.extend((value.len() as u16).to_be_bytes());
        all.extend(value);
    }
    let plain = if family == Family::V4 { nlri } else { &[] };
    [&[0, 0][..], &(all.len() as u16).to_be_bytes(), &all, plain].concat()
}

/// Appends a Route Monitoring message (RFC 7854 §4.6).
fn monitoring(out: &mut Vec<u8>, speaker: Speaker, update: &[u8]) {
    let bgp = 19 + update.len();
    out.push(3);
    out.extend(((6 + 42 + bgp) as u32).to_be_bytes());
    out.extend([0, 0, if speaker.post_policy { 0x40 } else { 0 }]);
    out.extend([0; 8 + 12]);
    out.extend([192, 0, 2, speaker.peer]);
    out.extend((64_500 + u32::from(speaker.peer)).to_be_bytes());
    out.extend([10, 255, 0, speaker.peer]);
    out.extend([0x68, 0, 0, 0, 0, 0, 0, 0]);
    out.extend([0xFF; 16]);
    out.extend((bgp as u16).to_be_bytes());
    out.push(2);
    out.extend_from_slice(update);
}
