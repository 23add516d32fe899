"""The machinery of the Arrow door."""
