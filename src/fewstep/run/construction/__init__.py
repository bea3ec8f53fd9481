"""From a checked configuration to the parts of a run, each built once and held to the others."""
