"""Datasets as sources of tasks: who is in which task (`sampler`), and one module a dataset.

Every dataset has a `name`, an `objective` (its losses and metrics) and `open()`, which returns its
splits by name. Nothing here imports a trainer or a configuration library, so each dataset can be
used in a notebook:

    from fewstep.data import EpisodeSpec, Glyphs

    split = Glyphs(classes=200).open()["train"]
    episode = split.episode(EpisodeSpec(ways=5, shots=1, queries=1, steps=5), seed=0, index=0)

Each is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewstep.lazy import offered


if TYPE_CHECKING:
    from fewstep.core.types import EpisodeSpec
    from fewstep.data.cifar_fs import CifarFS
    from fewstep.data.clients import Clients
    from fewstep.data.conversations import Conversations
    from fewstep.data.functions import FunctionTasks
    from fewstep.data.glyphs import Glyphs
    from fewstep.data.ground import Ground
    from fewstep.data.image_folder import ImageFolder
    from fewstep.data.linear import Linear
    from fewstep.data.miniimagenet import MiniImageNet
    from fewstep.data.modulation import Modulation
    from fewstep.data.omniglot import Omniglot
    from fewstep.data.recall import Recall
    from fewstep.data.sine import Sine
    from fewstep.data.streams import Streams
    from fewstep.data.subject_files import SubjectFiles
    from fewstep.data.subjects import Subjects
    from fewstep.data.tensors import TensorClasses

__all__ = [
    "CifarFS",
    "Clients",
    "Conversations",
    "EpisodeSpec",
    "FunctionTasks",
    "Glyphs",
    "Ground",
    "ImageFolder",
    "Linear",
    "MiniImageNet",
    "Modulation",
    "Omniglot",
    "Recall",
    "Sine",
    "Streams",
    "SubjectFiles",
    "Subjects",
    "TensorClasses",
]

_WHERE = {
    "CifarFS": "data.cifar_fs",
    "Clients": "data.clients",
    "Conversations": "data.conversations",
    "EpisodeSpec": "core.types",
    "FunctionTasks": "data.functions",
    "Glyphs": "data.glyphs",
    "Ground": "data.ground",
    "ImageFolder": "data.image_folder",
    "Linear": "data.linear",
    "MiniImageNet": "data.miniimagenet",
    "Modulation": "data.modulation",
    "Omniglot": "data.omniglot",
    "Recall": "data.recall",
    "Sine": "data.sine",
    "Streams": "data.streams",
    "SubjectFiles": "data.subject_files",
    "Subjects": "data.subjects",
    "TensorClasses": "data.tensors",
}

__getattr__, __dir__ = offered(globals(), _WHERE)
