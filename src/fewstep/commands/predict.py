"""`fewstep predict`: a row a picture, from a saved classifier."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewstep.commands.front import TRUST, reading, run, trusted
from fewstep.config.checks import Check
from fewstep.config.keys import Key, help_of
from fewstep.disk.files import check_file
from fewstep.disk.homes import expanded
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError


if TYPE_CHECKING:
    from fewstep.use.classifier import Classifier


ABOUT = """\
fewstep predict classifier=DIR pictures=FILES [out=predictions.csv]   a row a picture

FILES are files, folders and archives, in the order given: pictures=a.png,b.png, pictures=folder, or
pictures=*.jpg by the shell. A row has the file, its class and probability, and the next two. A file
that cannot be read is a row with its reason; the others are predicted, and the exit status is 1.
"""

EXAMPLES = """\
  fewstep predict classifier=drawings pictures=new
  fewstep predict classifier=photos pictures=one.jpg,two.jpg out=found.csv
"""

KEYS = {
    "classifier": Key("the folder that fewstep adapt wrote", Check(str), needed=True),
    "pictures": Key("files, folders and archives", Check(str), needed=True),
    "out": Key("the table to write", Check(str, example="predictions.csv"), "predictions.csv"),
    "trust": TRUST,
}

PLACES = ("", "second_", "third_")
HEAD = ["file", *(f"{p}{n}" for p in PLACES for n in ("class", "probability")), "error"]


def help_text() -> str:
    """What `fewstep predict --help` prints."""
    return help_of(reading(KEYS), ABOUT, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Predict; the exit status, 1 where a file could not be read."""
    return run("predict", reading(KEYS), _predict, words, many="pictures")


def _predict(values: dict[str, Any]) -> int:
    out = _out(values["out"])
    from fewstep.disk.files import replacing
    from fewstep.use.pictures import one_by_one
    from fewstep.use.reopening import load_classifier

    classifier = load_classifier(values["classifier"], trusted(values))
    pictures = one_by_one(values["pictures"])
    lost = 0
    with replacing(out) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        for row in _rows(classifier, values, pictures):
            lost += bool(row[-1])
            writer.writerow(row)
    read_ones = len(pictures) - lost
    print(f"{out}: {read_ones} of {len(pictures)} pictures predicted")
    if lost:
        return complain(f"{lost} of {len(pictures)} files cannot be used: see `error` in {out}", 1)
    return 0


def _rows(
    classifier: Classifier, values: dict[str, Any], pictures: Sequence[Any]
) -> Iterator[list[Any]]:
    import numpy as np
    import torch

    from fewstep.disk.bad_files import BadFile
    from fewstep.messages.printable import cell, printable
    from fewstep.use.pictures import own_words, streamed
    from fewstep.use.reading import reading_of
    from fewstep.use.way import TOGETHER

    if classifier.preparation is None:
        raise ConfigError(
            f"classifier={values['classifier']}: is of rows of numbers, not of pictures. Use it "
            "from Python: fewstep.load_classifier(...).predict(rows)"
        )
    names, reading = iter(pictures), reading_of(values)
    for some in streamed(pictures, classifier.preparation, reading, TOGETHER):
        good = [one for one in some if not isinstance(one, BadFile)]
        found: Iterator[Any] = iter(())
        if good:
            found = iter(classifier.probabilities(torch.from_numpy(np.stack(good))))
        for one in some:
            file = cell(printable(next(names)))
            if isinstance(one, BadFile):
                reason = own_words(f"{one.reason}; {one.fix}")
                yield [file, *[""] * (len(HEAD) - 2), cell(printable(reason))]
                continue
            best = next(found).topk(min(len(PLACES), len(classifier.classes)))
            pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
            ranked = [x for p, i in pairs for x in (cell(classifier.classes[i]), f"{p:.4f}")]
            yield [file, *ranked, *[""] * (len(HEAD) - 1 - len(ranked))]


def _out(name: str) -> Path:
    """The table to write: a new one, or one that this command wrote before."""
    path = expanded(name, "out")
    if path.is_dir():
        raise ConfigError(f"out={name}: is a folder. Name a file, as out={name}/predictions.csv")
    if path.exists() and not path.is_file():  # a pipe, which nobody may read from
        raise ConfigError(f"out={name}: is no plain file. Name one, as out=predictions.csv")
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline().strip()
        if first != ",".join(HEAD):
            raise ConfigError(
                f"out={name}: is another file, which is not overwritten. Name one that is not there"
            )
    check_file(path, "out")
    return path
