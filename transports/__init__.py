"""The doors: one file per protocol, found by its presence, each exporting its `TRANSPORT`."""
