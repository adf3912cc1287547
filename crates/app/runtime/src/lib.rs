//! Starts, wires, supervises and stops the engine
