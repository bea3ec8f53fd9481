"""Which runs a report is of, what each says, and what tells them apart."""
