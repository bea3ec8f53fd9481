"""What a user's classifier is worth: an initialization of one's own beside frozen features."""
