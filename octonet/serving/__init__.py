"""Projects as one process serves them: opened, owned, changed, ended, and followed as the system project says."""
