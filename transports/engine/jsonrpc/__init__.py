"""JSON-RPC: its messages, its calls, its description."""
