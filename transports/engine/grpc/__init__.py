"""The machinery of the gRPC door."""
