"""Which of what is available is best for some pictures, as far as leaving them out can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from fewstep.messages.errors import ConfigError
from fewstep.records.statistics.intervals import Z95
from fewstep.run.stored import shipped
from fewstep.use.backbone import networks
from fewstep.use.backbone.backbone import Backbone
from fewstep.use.backbone.heads import HEADS
from fewstep.use.loading import BACKBONE, load


if TYPE_CHECKING:
    from fewstep.use.classifier import Classifier
    from fewstep.use.expected import Expected
    from fewstep.use.initialization import Initialization

MOST = 3
"""Pretrained networks that are tried, the smallest first."""

Candidate = tuple[str, "Callable[[], Initialization | Backbone]"]
Tried = tuple[str, "Classifier", "Expected"]


def candidates(
    colour: bool, weights: str | Path | None, name: str | None, size: int | None = None
) -> list[Candidate]:
    """What there is to try, the simplest first; each is made when it is called.

    Args:
        colour: whether the pictures have colours: then initializations that see grey are left out,
            unless there is nothing else.
        weights: a file of the weights of `name`; None looks into timm's own cache.
        name: the pretrained network; None is that of the file's own name, or all that are cached.
        size: side of the squares that it sees; None is its own.

    Raises:
        ConfigError: weights of a network that nothing names.
    """
    found: list[Candidate] = []
    for network in _networks(weights, name):
        made = cache(lambda network=network: Backbone.named(network, weights, size))
        for head in HEADS:
            found.append((f"{BACKBONE}{network}, {head}", _with_head(made, head)))
    names = shipped.names()
    fits = [name for name in names if shipped.channels(name) == (1, 3)[colour]]
    given = [(n, partial(load, n)) for n in fits or ([] if found else names)]
    return [*found, *given] if colour else [*given, *found]


def best(found: Sequence[Tried]) -> int:
    """The place of the one with the most pictures right when left out; of equals the first."""
    return max(range(len(found)), key=lambda i: (found[i][2].right, -i))


def comparison(found: Sequence[Tried]) -> str:
    """Every candidate's accuracy with its interval, and by how much the best of them wins."""
    place, width = best(found), max(len(name) for name, *_ in found)
    lines = [f"{found[place][2].of} pictures, each left out, by what they were told from:"]
    for name, _, expected in found:
        lines.append(f"  {name:<{width}}  {_accuracy(expected)}")
    if not found[place][2].of:
        lines.append(f"nothing to choose by: {found[place][0]}, the simplest")
        return "\n".join(lines)
    others = [i for i in range(len(found)) if i != place]
    if others:
        second = others[best([found[i] for i in others])]
        lines.append(_verdict(found[place], found[second]))
    return "\n".join(lines)


def _verdict(first: Tried, second: Tried) -> str:
    """By how much one beats the other, on the same left-out pictures."""
    alone, other, of = paired(first, second)
    if alone == other:
        return f"{first[0]} is chosen: as many right as {second[0]}, and simpler"
    share = (alone - other) / of
    half = Z95 * ((alone + other) / of - share**2) ** 0.5 / of**0.5
    low, high = max(-1.0, share - half), min(1.0, share + half)
    text = (
        f"{first[0]} is chosen: {100 * share:+.0f} points over {second[0]} (95 % interval "
        f"{100 * low:+.0f} to {100 * high:+.0f}; {alone} right that the other "
        f"has wrong, {other} the other way)"
    )
    return text if share > half else f"{text}; so few pictures do not tell them apart"


def paired(first: Tried, second: Tried) -> tuple[int, int, int]:
    """Left-out pictures that only the one told right, only the other, and how many there were."""
    truth = first[1].given
    alone = other = of = 0
    for label, a, b in zip(truth, first[2].answers, second[2].answers, strict=True):
        if a is None or b is None:
            continue
        of += 1
        alone += a == label != b
        other += b == label != a
    return alone, other, of


def _accuracy(expected: Expected) -> str:
    if expected.interval is None:
        return "nothing can be estimated from one picture a class"
    low, high = expected.interval
    share = f"{100 * expected.right / expected.of:3.0f} %"
    return f"{share} ({100 * low:.0f} to {100 * high:.0f} %), {expected.right} of {expected.of}"


def _networks(weights: str | Path | None, name: str | None) -> list[str]:
    if name is not None:
        return [name]
    if weights is None:
        return networks.at_hand()[:MOST]
    stem = Path(weights).stem
    try:
        networks.check_name(stem)
    except ConfigError:
        raise ConfigError(
            f"backbone.weights={weights}: of which network? Name it with init={BACKBONE}NAME"
        ) from None
    return [stem]


def _with_head(made: Callable[[], Backbone], head: str) -> Callable[[], Backbone]:
    return lambda: made().with_settings(head=head)
