"""What the SQL dialects share: a dialect file adds its grammar and its connections."""
