//! What to do: candidates, ranking and the reasons the others lost
