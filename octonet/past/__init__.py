"""Time travel: the versions of all rows, folded from the log into a file of their own, and rows as they were."""
