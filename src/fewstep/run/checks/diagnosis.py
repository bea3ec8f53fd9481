"""What an error of somebody's network means, in one line with the way out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from fewstep.core.types import Episode, EpisodeSpec
from fewstep.messages.errors import ConfigError
from fewstep.run.experiment import Experiment


@dataclass(frozen=True)
class Place:
    """What was tried when something failed."""

    experiment: Experiment
    stage: str
    """`build`, `training`, `test`, a protocol, or `vmap` for what fails there alone."""
    spec: EpisodeSpec
    episode: Episode | None = None
    number: int = 0
    """Of the setting that is tested."""

    @property
    def model(self) -> str:
        return f"model={self.experiment.model}"

    @property
    def dataset(self) -> str:
        return self.experiment.source.name

    @property
    def key(self) -> str:
        """Of the algorithm that is tried: the baseline has its own."""
        joint = self.experiment.joint
        return "algorithm" if self.experiment.recipe is not joint else "baselines.joint"

    @property
    def algorithm(self) -> str:
        return f"{self.key}={self.experiment.recipe.name}"

    @property
    def precision(self) -> str:
        return f"trainer.precision={self.experiment.machine.precision}"


KINDS = {
    r"RecursionError": "its forward calls itself without an end, or too deep ({reason}). Correct "
    "it, or use fewer layers",
    r"MemoryError|OutOfMemoryError|can't allocate memory|not enough memory": "one task takes more "
    "memory than there is ({reason}). Lower algorithm.inner.batch_size, shots.train_shots, "
    "dataset.size or the model's sizes",
    r"support the deepcopy protocol": "keeps a tensor that was computed from its parameters, as "
    "torch.nn.utils.weight_norm and spectral_norm do, so that no task can have a copy of it. Use "
    "torch.nn.utils.parametrizations.weight_norm (or spectral_norm), which compute the same",
    r"derivative for .* is not implemented|[Dd]ouble backward": "has no second derivative, which "
    "{place.algorithm} takes ({reason}). Use algorithm=fomaml or algorithm=reptile, or another "
    "model. An algorithm of your own takes attention's in "
    "fewstep.core.attention.twice_differentiable()",
    r"leaf Variable.* in-place|modified by an inplace operation": "writes into a parameter or into "
    "what a derivative needs ({reason}). Use the operation that returns a new tensor: x = x + y, "
    "not x += y",
    r"does not require grad and does not have a grad_fn": "no derivative leads from the loss to a "
    "parameter ({reason}). Leave out detach(), .item(), argmax and torch.no_grad() on the way, in "
    "the network and in the losses of dataset={place.dataset}",
    r"Expected all tensors to be on the same device": "has tensors on another device than its "
    "inputs ({reason}). Make them with device=x.device, or register them as buffers",
    r"same dtype|expected scalar type|Input type .* and (weight|bias) type": "mixes precisions: "
    "inputs and parameters have {place.precision} ({reason}). Make its own tensors with "
    "dtype=x.dtype and device=x.device, or register them as buffers",
}
"""Words of an error's text, and what is said of the model for the first that are found."""


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Turns whatever is raised inside into one line about the configuration.

    Raises:
        ConfigError: in place of the error.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # whatever somebody's network raises
        raise ConfigError(explain(error, place)) from None


def explain(error: Exception, place: Place) -> str:
    """The line for an error: of the first kind whose words are in its text, else of the stage."""
    reason, text = one_line(error), f"{type(error).__name__}: {error}"
    if "Expected more than 1 value per channel" in text:
        return _batch_norm(place, reason)
    for words, meaning in KINDS.items():
        if re.search(words, text):
            return f"{place.model}: {meaning.format(place=place, reason=reason)}"
    if place.stage == "vmap":
        return (
            f"execution={place.experiment.machine.execution}: {place.model} or its data cannot be "
            f"mapped over tasks by vmap ({reason}). Use execution=threads or execution=serial"
        )
    if place.stage == "training":
        return no_fit(place, reason)
    where = "in a test task" if place.stage == "test" else f"in a test task, {place.stage}"
    return f"{place.model}: fails {where} ({reason}). Choose another model, or correct it"


def no_fit(place: Place, reason: str) -> str:
    """That network and data are not made for each other."""
    sizes = list(place.episode.support_x.shape[1:]) if place.episode else []
    shape = "x".join(map(str, sizes)) or "?"
    fix = "Choose another model, or correct its sizes"
    if len(sizes) == 2:
        fix += f". Pictures want an axis for their channels: x[:, None] has inputs of 1x{shape}"
    elif len(sizes) == 3 and sizes[2] in (1, 3) and sizes[0] > 3:
        turned = "x".join(map(str, [sizes[2], *sizes[:2]]))
        fix += f". Pictures have their channels first: np.moveaxis(x, -1, 1) has inputs of {turned}"
    return (
        f"{place.model}: does not fit dataset={place.dataset} with inputs of {shape} and "
        f"shots.ways={place.experiment.ways} ({reason}). {fix}"
    )


def one_line(error: Exception) -> str:
    """The first line of an error's text, and the line of somebody's own file that led to it."""
    first = str(error).strip().partition("\n")[0][:200]
    kind = type(error).__name__
    text = f"{kind}: {first}" if first else kind
    own = [f for f in traceback.extract_tb(error.__traceback__) if _is_foreign(f.filename)]
    return f"{text}, {Path(own[-1].filename).name}:{own[-1].lineno}" if own else text


LIBRARIES = (
    Path(torch.__file__).parents[1],
    Path(__file__).parents[2],
    Path(re.__file__).parents[1],
)


def _is_foreign(file: str) -> bool:
    path = Path(file)
    return path.is_file() and not any(path.is_relative_to(folder) for folder in LIBRARIES)


def _batch_norm(place: Place, reason: str) -> str:
    """By the key that leaves a network one example at a time."""
    spec, fix = place.spec, ""
    support, training = spec.ways * spec.shots, place.stage == "training"
    if (spec.batch_size or support) == 1:
        alone = len(place.experiment.test.settings) == 1
        test = "eval" if alone else f"eval.settings[{place.number}]"
        key, value = f"{'algorithm.inner' if training else test}.batch_size", spec.batch_size
    else:
        key, value = "shots.queries" if training else "eval.queries", spec.queries
        fix = "" if training else ", eval.protocol=inductive"
    return (
        f"{key}={value}: a batch norm of {place.model} has one value a channel to normalize by "
        f"({reason}). Use {key}=2 or more{fix}, or a model without batch norm"
    )
