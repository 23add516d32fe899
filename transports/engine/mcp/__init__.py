"""What the MCP door is made of."""
