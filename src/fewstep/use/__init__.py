"""A trained initialization in a user's hands: adapted, asked, handed on, drawn for."""
