"""The test at the end and `fewstep evaluate`: on what, of what, and what is written of it."""
