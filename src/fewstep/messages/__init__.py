"""What is told to people: errors, and words made fit to be shown or typed."""
