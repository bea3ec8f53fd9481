"""How fast a configuration is here, in which execution, and where its time and memory go."""
