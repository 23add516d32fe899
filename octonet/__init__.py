"""Octonet: one schema, every protocol, any database, and a history that can be trusted."""

__version__ = "0.1.0"
