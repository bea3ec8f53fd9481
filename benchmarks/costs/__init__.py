"""What a meta-iteration costs: memory, growth with the problem's size, start-up, overhead."""
