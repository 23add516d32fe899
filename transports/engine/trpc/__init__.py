"""tRPC: its procedures, its ways to ask, its types."""
