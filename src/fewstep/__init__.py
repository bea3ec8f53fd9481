"""fewstep: learn an initialization from which a few gradient steps learn a new task.

    import fewstep

    init = fewstep.load("omniglot")
    clf = init.adapt(images, labels)
    clf.predict(others)

Torch is imported when something of `__all__` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewstep.lazy import offered


if TYPE_CHECKING:
    from fewstep.commands.in_python import train
    from fewstep.use.classifier import Classifier
    from fewstep.use.estimator import FewShotClassifier
    from fewstep.use.initialization import Initialization
    from fewstep.use.loading import load
    from fewstep.use.reopening import load_classifier

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "FewShotClassifier",
    "Initialization",
    "load",
    "load_classifier",
    "train",
]

_WHERE = {
    "Classifier": "use.classifier",
    "FewShotClassifier": "use.estimator",
    "Initialization": "use.initialization",
    "load": "use.loading",
    "load_classifier": "use.reopening",
    "train": "commands.in_python",
}

__getattr__, __dir__ = offered(globals(), _WHERE)
