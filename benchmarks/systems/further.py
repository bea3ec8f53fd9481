"""What is tested on tasks of another kind once a sweep is through.

An evaluation has the trained network alone. What stands beside it is tested on the same tasks by
trainings of one meta-iteration whose rate moves no weight.
"""

from __future__ import annotations

import shlex

from fewstep.commands import evaluate, train


FURTHER = {
    "ifwi": [
        "evaluate -m name=ifwi_anomalies dataset=ground dataset.models=anomalies "
        "checkpoint=outputs/sweeps/ifwi/0,outputs/sweeps/ifwi/3,outputs/sweeps/ifwi/6",
        "train -m sweep=ifwi name=ifwi_anomalies_beside variant=ifwi/velocity label='mean ground' "
        "dataset.models=anomalies max_meta_iterations=1 algorithm.outer.lr=1e-12",
    ],
    "subjects": [
        command
        for name, voxels, shots in (("few", 24, 10), ("many", 128, 200))
        for command in (
            f"evaluate -m name=subjects_{name} +dataset.test_voxels={voxels} "
            f"eval.settings='[{{shots: {shots}, steps: 0, batch_size: null}}]' "
            "checkpoint=outputs/sweeps/subjects/0,outputs/sweeps/subjects/1,"
            "outputs/sweeps/subjects/2",
            f"train -m sweep=subjects name=subjects_{name}_beside model.context=true "
            f"label='no steps' dataset.test_voxels={voxels} "
            f"eval.settings='[{{shots: {shots}, steps: 0, batch_size: null}}]' "
            "max_meta_iterations=1 algorithm.outer.schedule=linear algorithm.outer.lr=1e-12",
        )
    ],
}
"""The commands of a system, without `fewstep`; of sweeps whose jobs are numbered as theirs."""


def name_of(command: str) -> str:
    """The sweep's folder in outputs/sweeps."""
    return next(word[5:] for word in shlex.split(command) if word.startswith("name="))


def go(command: str, words: list[str]) -> int:
    """Run one, a training with further words for what it does not say itself; the exit status."""
    kind, *own = shlex.split(command)
    return train.main([*words, *own]) if kind == "train" else evaluate.main(own)


if __name__ == "__main__":
    print(*(f"fewstep {line}" for lines in FURTHER.values() for line in lines), sep="\n")
