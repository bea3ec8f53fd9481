"""A trained initialization in a user's hands: adapted, asked, kept and handed on."""
