"""What an error of somebody's network means, in one line with the way out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fewstep.checks import ConfigError
from fewstep.types import Episode, EpisodeSpec


@dataclass(frozen=True)
class Place:
    """What was tried when something failed."""

    config: Mapping[str, Any]
    stage: str
    """`build`, `training`, `test`, a protocol, or `vmap` for what fails there alone."""
    spec: EpisodeSpec | None = None
    episode: Episode | None = None
    number: int = 0
    """Of the setting that is tested."""

    @property
    def model(self) -> str:
        return f"model={self.config['model']['_target_']}"

    @property
    def dataset(self) -> str:
        return self.config["dataset"].get("name", self.config["dataset"]["_target_"])

    @property
    def algorithm(self) -> str:
        return f"algorithm={self.config['algorithm']['name']}"


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
    text = f"{type(error).__name__}: {error}"
    for words, line in KINDS:
        if re.search(words, text) and (found := line(place, error)):
            return found
    if place.stage == "vmap":
        return (
            f"execution={place.config['execution']}: {place.model} or its data cannot be mapped "
            f"over tasks by vmap ({one_line(error)}). Use execution=threads or execution=serial"
        )
    if place.stage == "training":
        return no_fit(place, one_line(error))
    where = "in a test task" if place.stage == "test" else f"in a test task, {place.stage}"
    return f"{place.model}: fails {where} ({one_line(error)}). Choose another model, or correct it"


def no_fit(place: Place, reason: str) -> str:
    """That network and data are not made for each other."""
    shape = "x".join(str(n) for n in place.episode.support_x.shape[1:]) if place.episode else "?"
    return (
        f"{place.model}: does not fit dataset={place.dataset} with inputs of {shape} and "
        f"shots.ways={place.config['shots']['ways']} ({reason}). Choose another model, or correct "
        "its sizes"
    )


def one_line(error: Exception) -> str:
    """The first line of an error's text, and the line of somebody's own file that led to it."""
    first = str(error).strip().partition("\n")[0][:200]
    kind = type(error).__name__
    text = f"{kind}: {first}" if first else kind
    own = [f for f in traceback.extract_tb(error.__traceback__) if _is_foreign(f.filename)]
    return f"{text}, {Path(own[-1].filename).name}:{own[-1].lineno}" if own else text


LIBRARIES = (Path(torch.__file__).parents[1], Path(__file__).parent, Path(re.__file__).parents[1])


def _is_foreign(file: str) -> bool:
    path = Path(file)
    return path.is_file() and not any(path.is_relative_to(folder) for folder in LIBRARIES)


def _batch_norm(place: Place, error: Exception) -> str:
    key, value = _size_of_batch(place)
    return (
        f"{key}={value}: a batch norm of {place.model} has one value a channel to normalize by "
        f"({one_line(error)}). {_more_values(place, key)}, or use a model without batch norm"
    )


def _size_of_batch(place: Place) -> tuple[str, Any]:
    """The key that leaves a network a single example at a time."""
    spec = place.spec
    support = spec.ways * spec.shots if spec else 0
    if spec and (spec.batch_size or support) == 1:
        owner = "algorithm.inner" if place.stage == "training" else _setting(place)
        return f"{owner}.batch_size", spec.batch_size
    key = "shots.queries" if place.stage == "training" else "eval.queries"
    return key, spec.queries if spec else None


def _setting(place: Place) -> str:
    alone = len(place.config["eval"]["settings"]) == 1
    return "eval" if alone else f"eval.settings[{place.number}]"


def _more_values(place: Place, key: str) -> str:
    if place.stage == "transductive" and key == "eval.queries":
        return "Use eval.protocol=inductive, more queries"
    return f"Use {key}=2 or more"


def _second_derivative(place: Place, error: Exception) -> str:
    operation = re.search(r"aten::(\w+?)(_backward)?\b", str(error))
    name = operation.group(1) if operation else "something"
    return (
        f"{place.algorithm}: takes second derivatives, and {name} of {place.model} has none "
        f"({one_line(error)}). Use algorithm=fomaml or algorithm=reptile, or another model; an "
        "algorithm of your own takes attention's with fewstep.attention.twice_differentiable"
    )


def _old_weight_norm(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: keeps a tensor that was computed from its parameters, as "
        "torch.nn.utils.weight_norm and spectral_norm do, so that no task can have a copy of it. "
        "Use torch.nn.utils.parametrizations.weight_norm (or spectral_norm), which compute the same"
    )


def _memory(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: one task takes more memory than there is ({one_line(error)}). Lower "
        "algorithm.inner.batch_size, shots.train_shots, dataset.size or the model's sizes"
    )


def _recursion(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: its forward calls itself without an end, or too deep "
        f"({one_line(error)}). Correct it, or use fewer layers"
    )


def _in_place(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: writes into a parameter or into what a derivative needs "
        f"({one_line(error)}). Use the operation that returns a new tensor: x = x + y, not x += y"
    )


def _dtype(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: mixes precisions, and inputs and parameters are those of "
        f"trainer.precision={place.config['trainer']['precision']} ({one_line(error)}). Make its "
        "own tensors with dtype=x.dtype and device=x.device, or register them as buffers"
    )


def _no_derivative(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: no derivative leads from the loss to a parameter ({one_line(error)}). "
        "Leave out detach(), .item(), argmax and torch.no_grad() on the way, in the network and in "
        f"the losses of dataset={place.dataset}"
    )


def _device(place: Place, error: Exception) -> str:
    return (
        f"{place.model}: has tensors on another device than its inputs ({one_line(error)}). Make "
        "them with device=x.device, or register them as buffers"
    )


KINDS: tuple[tuple[str, Callable[[Place, Exception], str]], ...] = (
    (r"Expected more than 1 value per channel", _batch_norm),
    (r"RecursionError", _recursion),
    (r"MemoryError|OutOfMemoryError|can't allocate memory|not enough memory", _memory),
    (r"support the deepcopy protocol", _old_weight_norm),
    (r"derivative for .* is not implemented|[Dd]ouble backward", _second_derivative),
    (r"leaf Variable.* in-place|modified by an inplace operation", _in_place),
    (r"does not require grad and does not have a grad_fn", _no_derivative),
    (r"Expected all tensors to be on the same device", _device),
    (r"same dtype|expected scalar type|Input type .* and (weight|bias) type", _dtype),
)
"""Words of an error's text, and the line for such errors."""
