"""`fewstep export`: a classifier as one file that runs without fewstep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewstep.commands.front import TRUST, run, trusted
from fewstep.config.checks import Check
from fewstep.config.keys import Key, help_of
from fewstep.disk.homes import expanded


ABOUT = """\
fewstep export classifier=DIR to=model.onnx   one file that runs without fewstep

An ONNX file from pixels to probabilities, for any number of pictures at once, with the classes and
the preparation in its metadata, and beside it an example in Python that needs numpy, pillow and
onnxruntime alone. What it answers is held against torch before it is called done. A name that ends
in .pt2 is torch.export's form.
"""

EXAMPLES = """\
  fewstep export classifier=drawings to=drawings.onnx
  fewstep export classifier=drawings to=drawings.pt2
"""

KEYS = {
    "classifier": Key("the folder that fewstep adapt wrote", Check(str), needed=True),
    "to": Key("the file to write: .onnx or .pt2", Check(str), needed=True),
    "trust": TRUST,
}


def help_text() -> str:
    """What `fewstep export --help` prints."""
    return help_of(KEYS, ABOUT, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Export and check; the exit status."""
    return run("export", KEYS, _export, words)


def _export(values: dict[str, Any]) -> int:
    to = expanded(values["to"], "to")
    from fewstep.use.export import check_target, export
    from fewstep.use.reopening import load_classifier

    check_target(to)
    classifier = load_classifier(values["classifier"], trusted(values))
    done = export(classifier, to)
    files = " and ".join(str(file) for file in done.files)
    print(f"{files}: {len(classifier.classes)} classes, {done.size / 1e6:.2f} MB")
    print(f"largest difference from torch on {done.pictures} pictures: {done.difference:.1e}")
    return 0
