//! Tests that cross crates, against real peers
