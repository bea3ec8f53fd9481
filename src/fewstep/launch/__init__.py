"""From a command line to a run directory: processes, sweeps, and going on."""
