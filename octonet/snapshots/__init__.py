"""Snapshots: all rows of a project as they were at one entry of its log, as files for any dialect."""
