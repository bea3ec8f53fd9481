"""A classifier as one file for other programs, held against torch before it is called done."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import jinja2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fewstep import __version__
from fewstep.disk.files import check_file, replacing
from fewstep.messages.errors import ConfigError, first_line
from fewstep.use.classifier import Classifier
from fewstep.use.forms import FORMS


NEEDS = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4
"""The largest difference of a probability from torch's."""
LOGARITHMS = 1e-3
"""And of its logarithm, as a share of that and one: a classifier that is sure of everything it is
shown gives the same probabilities, whatever becomes of its network."""
LEAST = 1e-30
"""A probability below which none is told from another."""
PICTURES = 100
"""That an export is held against torch on, in batches of one and of all."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how near it is."""

    files: tuple[Path, ...]
    size: int
    """Bytes of the model."""
    pictures: int
    difference: float
    """The largest of a probability."""


class Answers(nn.Module):
    """From what a picture is read as to probabilities: the whole of a classifier."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.network = classifier.network
        self.inputs = classifier.way.inputs
        self.temperature = classifier.temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities [B, N] of pixels [B, size, size, channels] uint8."""
        return torch.softmax(self.network(self.inputs(pixels)) / self.temperature, 1)


def check_target(to: Path) -> None:
    """Refuse what cannot be written, before anything is read.

    Raises:
        ConfigError: another ending, a file that is there, a place that cannot be written to, or a
            package that is not installed.
    """
    if to.suffix not in FORMS:
        raise ConfigError(f"to={to}: must end in {' or '.join(FORMS)}. For example to=model.onnx")
    for file in (to, example_of(to)) if to.suffix == ".onnx" else (to,):
        if file.exists():
            raise ConfigError(f"to={to}: {file} is there already. Name a file that is not there")
    check_file(to, "to")
    if to.suffix == ".onnx" and (missing := [n for n in NEEDS if find_spec(n) is None]):
        raise ConfigError(
            f"to={to}: needs {', '.join(missing)}, not installed here: pip install "
            "'fewstep[export]'"
        )


def export(classifier: Classifier, to: Path) -> Exported:
    """Write a classifier as `.onnx` (with an example beside it) or `.pt2`.

    Raises:
        ConfigError: as `check_target`; or a network that cannot be written in this form, or whose
            answers come out different.
        CannotWrite: naming the path, the reason and the fix.
    """
    check_target(to)
    module, pixels = Answers(classifier).eval(), _pictures(classifier)
    with torch.no_grad():
        wanted = module(pixels).numpy()
    with replacing(to) as aside:
        write, answer = FORMS[to.suffix]
        try:
            with _quiet():
                write(module, pixels, aside, _metadata(classifier))
                run = answer(aside)
                difference, logarithms = _differences(run, pixels.numpy(), wanted)
        except OSError:  # as of a full disk, which is not the network's fault
            raise
        except Exception as error:  # whatever an exporter raises at somebody's network
            raise ConfigError(
                f"to={to}: this network cannot be written as {to.suffix} "
                f"({first_line(error)[:300]}). Try the other of {' and '.join(FORMS)}"
            ) from error
        if not (difference <= TOLERANCE and logarithms <= LOGARITHMS):
            raise ConfigError(
                f"to={to}: its probabilities differ from torch's by {difference:.1e} and their "
                f"logarithms by a share of {logarithms:.1e}, more than {TOLERANCE:g} or "
                f"{LOGARITHMS:g}, so it is not written. Try the other of {' and '.join(FORMS)}"
            )
    files, size = (to,), to.stat().st_size
    if to.suffix == ".onnx":
        with replacing(example_of(to)) as aside:
            aside.write_text(example(classifier, to), encoding="utf-8")
        files = (to, example_of(to))
    return Exported(files, size, len(pixels), difference)


def example_of(to: Path) -> Path:
    """The example beside a model."""
    return to.with_name(f"{to.stem}_example.py")


def example(classifier: Classifier, to: Path) -> str:
    """A program that asks the model, and needs numpy, pillow and onnxruntime alone."""
    where = jinja2.PackageLoader("fewstep.use", "")
    template = jinja2.Environment(loader=where, keep_trailing_newline=True).get_template(
        "example.py.j2"
    )
    return template.render(p=classifier.preparation, model=to.name, quoted=repr(to.name))


def _pictures(classifier: Classifier) -> Tensor:
    """Blots on light and on dark paper, and noise every fifth: [n, size, size, channels] uint8."""
    if (p := classifier.preparation) is None:
        raise ConfigError(
            "to: this classifier is of rows of numbers, and exports are of pictures. Use its "
            "network from Python: classifier.network"
        )
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((PICTURES, p.channels, 5, 5), generator=generator)
    smooth = functional.interpolate(coarse, size=(p.size, p.size), mode="bilinear")
    blots = ((smooth - 0.4) * 1500).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    blots[:, [0, -1]], blots[:, :, [0, -1]] = 255, 255  # so that nobody doubts which paper it is
    blots[::2] = 255 - blots[::2]
    blots[::5] = torch.randint(0, 256, blots[::5].shape, dtype=torch.uint8, generator=generator)
    return blots.contiguous()


def _metadata(classifier: Classifier) -> dict[str, str]:
    assert classifier.preparation is not None
    return {
        "classes": json.dumps(classifier.classes),
        "preparation": json.dumps(classifier.preparation.as_dict()),
        "made_by": f"fewstep {__version__}",
    }


def _differences(
    run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, wanted: np.ndarray
) -> tuple[float, float]:
    """The largest of a probability, and of its logarithm as a share of that and one; of all
    pictures at once and of one at a time."""
    found = np.concatenate([run(pixels), *(run(p[None]) for p in pixels[:8])])
    wanted = np.concatenate([wanted, wanted[:8]])
    logs, own = (np.log(np.maximum(p, LEAST, dtype=np.float64)) for p in (wanted, found))
    share = np.abs(own - logs) / (1 + np.abs(logs))
    return float(np.abs(found - wanted).max()), float(share.max())


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters tell what they do, and warn of their own insides."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
