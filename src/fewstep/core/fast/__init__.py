"""How a function of one task is run fast: the only part of `core` that knows of programs, of packed
parameters and of steps that another thread takes."""
