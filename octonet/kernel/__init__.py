"""The shared kernel: pure types and pure functions that every other room speaks in."""
