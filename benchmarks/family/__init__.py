"""What the tables of the family claim, and whether trainings bear it out."""
