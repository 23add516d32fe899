"""The office: what is done to keys, accounts and roles, by commands in the system project like everything else."""
