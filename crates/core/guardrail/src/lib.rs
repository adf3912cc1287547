//! What may be done: limits, tiers, rates
