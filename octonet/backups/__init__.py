"""Backups: the logs of an installation, with what is needed to make everything else out of them."""
