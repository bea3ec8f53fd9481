"""Datasets as sources of tasks: who is in which task (`sampler`), and one module a dataset.

Every dataset has a `name`, a `task` (its losses and metrics) and `open()`, which returns its
splits by name. Nothing here imports a trainer or a configuration library, so each dataset can be
used in a notebook:

    split = Glyphs(classes=200).open()["train"]
    episode = split.episode(EpisodeSpec(ways=5, shots=1, queries=1, steps=5), seed=0, index=0)
"""
