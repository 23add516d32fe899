"""Who may do what, and how secrets travel."""
