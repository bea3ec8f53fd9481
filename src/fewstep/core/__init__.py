"""One task in tensors: words, network, rules, objectives."""
