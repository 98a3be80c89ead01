"""What changed between two snapshots: which families, why, and which tasks were rated otherwise."""
