"""The room that speaks NATS: connection, streams, and the kernel's ports implemented on them."""
