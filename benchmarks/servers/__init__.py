"""The servers to compare with. Each runs by itself: `python -m benchmarks.servers.NAME PORT …`."""
