//! The packets, 44 octets each way (RFC 8762 §4.2.1 figure 1, §4.3.1 figure 4).
//!
//! ```text
//! sender     0 sequence · 4 T1 (NTP) · 12 error estimate · 14 zero …
//! reflector  0 sequence · 4 T3 · 12 error · 16 T2 · 24 sender sequence · 28 sender T1 · 36 sender error · 40 sender TTL …
//! ```

/// Seconds from 1900 (NTP) to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;
/// S bit set (synchronised), scale 0, multiplier 1.
const ERROR_ESTIMATE: u16 = 0x8001;
/// Octets of a packet, both ways.
pub const LENGTH: usize = 44;

/// What an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Sender's sequence number.
    pub sequence: u32,
    /// When it was sent, nanoseconds since the Unix epoch.
    pub t1: i64,
    /// When the reflector received it.
    pub t2: i64,
    /// When the reflector answered.
    pub t3: i64,
}

impl Stamp {
    /// Makes the sender's packet.
    #[must_use]
    pub fn request(sequence: u32, t1: i64) -> [u8; LENGTH] {
        let mut p = [0; LENGTH];
        p[..4].copy_from_slice(&sequence.to_be_bytes());
        p[4..12].copy_from_slice(&to_ntp(t1).to_be_bytes());
        p[12..14].copy_from_slice(&ERROR_ESTIMATE.to_be_bytes());
        p
    }

    /// Makes the reflector's packet from the sender's; `None` when that is too short.
    #[must_use]
    pub fn reflect(request: &[u8], own_sequence: u32, t2: i64, t3: i64) -> Option<[u8; LENGTH]> {
        let sender = request.get(..14)?;
        let mut p = [0; LENGTH];
        p[..4].copy_from_slice(&own_sequence.to_be_bytes());
        p[4..12].copy_from_slice(&to_ntp(t3).to_be_bytes());
        p[12..14].copy_from_slice(&ERROR_ESTIMATE.to_be_bytes());
        p[16..24].copy_from_slice(&to_ntp(t2).to_be_bytes());
        p[24..38].copy_from_slice(sender);
        Some(p)
    }

    /// Reads the reflector's packet.
    #[must_use]
    pub fn parse(answer: &[u8]) -> Option<Self> {
        let u32_at = |i: usize| answer.get(i..i + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let u64_at = |i: usize| answer.get(i..i + 8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        Some(Self { sequence: u32_at(24)?, t1: from_ntp(u64_at(28)?), t2: from_ntp(u64_at(16)?), t3: from_ntp(u64_at(4)?) })
    }
}

fn to_ntp(ns: i64) -> u64 {
    let ns = u64::try_from(ns).unwrap_or(0);
    let (seconds, rest) = (ns / 1_000_000_000 + NTP_EPOCH, ns % 1_000_000_000);
    seconds << 32 | ((rest << 32) / 1_000_000_000)
}

fn from_ntp(ntp: u64) -> i64 {
    let seconds = (ntp >> 32).saturating_sub(NTP_EPOCH);
    // rounds to the nearest nanosecond, so that there and back is exact
    let rest = ((ntp & 0xFFFF_FFFF) * 1_000_000_000 + (1 << 31)) >> 32;
    i64::try_from(seconds * 1_000_000_000 + rest).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sequence_survive_the_round_trip() {
        let (t1, t2, t3) = (1_795_400_000_123_456_789, 1_795_400_000_127_456_789, 1_795_400_000_127_500_001);
        let answer = Stamp::reflect(&Stamp::request(77, t1), 3, t2, t3).unwrap();
        let read = Stamp::parse(&answer).unwrap();
        assert_eq!(read.sequence, 77);
        for (a, b) in [(read.t1, t1), (read.t2, t2), (read.t3, t3)] {
            assert!((a - b).abs() <= 1, "{a} {b}");
        }
    }

    #[test]
    fn short_packets_are_refused() {
        assert_eq!(Stamp::reflect(&[0; 13], 0, 0, 0), None);
        assert_eq!(Stamp::parse(&[0; 35]), None);
    }
}
