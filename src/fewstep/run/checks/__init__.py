"""What is looked at before a run relies on it, so that what fails does so in one line."""
