"""The machinery of the write side."""
