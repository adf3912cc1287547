//! SQLite: ledger, state and telemetry; one writer
