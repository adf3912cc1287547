//! What would happen: best-path computation over collected Adj-RIBs and policies
