//! How frames are bound to each other, in both formats.

use sha2::{Digest, Sha256};
use units::Timestamp;

/// What stands before a frame's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the compressed content.
    pub length: u32,
    /// Records in it; 0: the end.
    pub records: u32,
    /// Its only record is a kept state: a replay may begin there.
    pub state: bool,
    /// Sequence number of the first record.
    pub seq: u64,
    /// Receive times of the first and the last record.
    pub at: (Timestamp, Timestamp),
}

impl Head {
    /// Bytes of a header with its seal.
    pub const BYTES: usize = 4 + 4 + 4 + 8 + 8 + 8 + 32;
    /// Bit of the record count that marks a kept state. Builds that do not know it look at the count for zero only.
    const STATE: u32 = 1 << 31;

    const fn count(&self) -> u32 {
        if self.state { self.records | Self::STATE } else { self.records }
    }

    /// The fields under the seal, as they are written behind the lengths.
    fn fields(&self) -> [u8; 28] {
        let mut out = [0; 28];
        let parts = [
            self.count().to_be_bytes().to_vec(),
            self.seq.to_be_bytes().to_vec(),
            self.at.0.nanos().to_be_bytes().to_vec(),
            self.at.1.nanos().to_be_bytes().to_vec(),
        ]
        .concat();
        out.copy_from_slice(&parts);
        out
    }

    pub fn written(&self, seal: &[u8; 32]) -> Vec<u8> {
        [&self.length.to_be_bytes()[..], &(!self.length).to_be_bytes(), &self.fields(), seal].concat()
    }

    /// Reads a header; `None` when its two lengths differ.
    pub fn read(bytes: &[u8; Self::BYTES]) -> Option<(Self, [u8; 32])> {
        let number = |at: usize| bytes.get(at..at + 8).and_then(|b| b.first_chunk::<8>()).copied().unwrap_or_default();
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>()).map_or(0, |b| u32::from_be_bytes(*b));
        let time = |at| Timestamp::from_nanos(i64::from_be_bytes(number(at)));
        let (records, state) = (word(8) & !Self::STATE, word(8) & Self::STATE != 0);
        let head = Self { length: word(0), records, state, seq: u64::from_be_bytes(number(12)), at: (time(20), time(28)) };
        let seal = bytes.last_chunk::<32>().copied().unwrap_or_default();
        (word(4) == !head.length).then_some((head, seal))
    }

    /// The seal of this frame behind the one before it.
    pub fn seal(&self, before: &[u8; 32], content: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(before).chain_update(self.fields()).chain_update(content).finalize().into()
    }
}

/// What binds the frames read so far.
#[derive(Clone, Debug)]
pub(crate) enum Bond {
    /// Format 1: a digest that runs over every record.
    Running(Sha256),
    /// Format 2: the seal of the last frame.
    Seal([u8; 32]),
}

impl Bond {
    pub fn hex(&self) -> String {
        match self {
            Self::Running(digest) => hex::encode(digest.clone().finalize()),
            Self::Seal(seal) => hex::encode(seal),
        }
    }
}

/// The seal of `about`, behind which the first frame stands.
pub(crate) fn of_about(json: &[u8]) -> [u8; 32] {
    Sha256::digest(json).into()
}
