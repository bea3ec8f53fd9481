"""What seven systems must show, and whether trainings bear it out."""
