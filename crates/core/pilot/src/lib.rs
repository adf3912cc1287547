//! The composition: handle(Input, now) -> Vec<Effect>
