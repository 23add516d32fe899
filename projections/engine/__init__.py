"""The machinery of the read side."""
