"""`fewstep theory`: section 5 of the paper in numbers, computed with the shipped algorithms."""
