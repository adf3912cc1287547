//! Append-only hash chain and its verifier
