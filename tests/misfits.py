"""Networks, objectives and datasets that cannot run, each for a reason of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.objectives import Classification
from fewstep.core.types import Episode, EpisodeSpec


class Wrapped(nn.Module):
    """A linear head with something around it: `before` the pixels go in, `after` logits come out.

    Takes the arguments of the shipped networks, whatever they are.
    """

    def __init__(
        self,
        ways: int = 5,
        before: Callable = lambda x: x,
        after: Callable = lambda y: y,
        **_: Any,
    ) -> None:
        super().__init__()
        self.before, self.after = before, after
        self.head = nn.Linear(784, ways)

    def forward(self, x: Tensor) -> Any:
        return self.after(self.head(self.before(x).flatten(1)))


def plain(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways)


def returns_a_tuple(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: (y, y))


def returns_a_dictionary(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: {"logits": y})


def returns_nothing(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: None)


def returns_classes(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: y.argmax(1))


def returns_probabilities(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: y.softmax(1))


def returns_one_mean(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: y.mean(0))


def returns_nan(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: (y - 1e9).log())


def has_an_infinite_slope(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: (y * 0).sqrt())


def has_no_slope(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, after=lambda y: y.detach())


def wants_indices(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, before=lambda x: F.embedding(x, torch.ones(256, 1)))


def wants_double(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, before=lambda x: x.flatten(1) @ torch.eye(784, dtype=torch.double))


def wants_ten_images(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, before=lambda x: x.reshape(10, 784))


def one_class_too_many(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways + 1)


class NeverEnds(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.forward(x)


def takes_a_petabyte(ways: int, **_: Any) -> nn.Module:
    return Wrapped(ways, before=lambda x: x + torch.empty(10, 1, 28, 28, 1 << 40).sum(-1))


class WritesIntoItsWeight(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        self.head.weight.mul_(0.5)
        return super().forward(x)


class Recurrent(nn.Module):
    def __init__(self, ways: int, cell: type[nn.Module], **_: Any) -> None:
        super().__init__()
        self.rows, self.head = cell(28, 8, batch_first=True), nn.Linear(8, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rows(x.flatten(1, 2))[0][:, -1])


def lstm(ways: int, **_: Any) -> nn.Module:
    return Recurrent(ways, nn.LSTM)


def gru(ways: int, **_: Any) -> nn.Module:
    return Recurrent(ways, nn.GRU)


class Attention(nn.Module):
    def __init__(self, ways: int, **_: Any) -> None:
        super().__init__()
        self.rows = nn.Linear(28, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(self.rows(x.flatten(1, 2))).mean(1))


class Volumes(nn.Module):
    def __init__(self, ways: int, **_: Any) -> None:
        super().__init__()
        self.kernel = nn.Conv3d(1, 2, (1, 5, 5), stride=(1, 4, 4))
        self.head = nn.Linear(72, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.kernel(x.unsqueeze(2)).flatten(1))


class Normalized(nn.Sequential):
    def __init__(self, ways: int, **_: Any) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, 4), nn.BatchNorm1d(4), nn.Linear(4, ways))


def old_weight_norm(ways: int, **_: Any) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.utils.weight_norm(nn.Linear(784, ways)))


def new_weight_norm(ways: int, **_: Any) -> nn.Module:
    linear = nn.utils.parametrizations.weight_norm(nn.Linear(784, ways))
    return nn.Sequential(nn.Flatten(), linear)


def lazy(ways: int, **_: Any) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(ways))


# --- objectives


class Objective(Classification):
    """A user's own, spoilt by what `spoilt` says of a method."""


class MeanLoss(Objective):
    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets)


class FloatLoss(Objective):
    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Any:
        return F.cross_entropy(outputs, targets).item()


class FloatMetrics(Objective):
    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        return {n: float(v) for n, v in super().metrics(outputs, targets).items()}


class WritesIntoTargets(Objective):
    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().inner_loss(outputs, targets.clamp_(max=1))


class RandomLoss(Objective):
    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().inner_loss(outputs + torch.rand_like(outputs), targets)


class TakenMetric(Objective):
    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        return {**super().metrics(outputs, targets), "tasks": outputs.mean()}


class MetricsOfEach(Objective):
    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        return {**super().metrics(outputs, targets), "right": (outputs.argmax(1) == targets) * 1.0}


class CountedMetrics(Objective):
    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        right = (outputs.argmax(1) == targets).sum()
        return {**super().metrics(outputs, targets), "right": right}


class MetricsWithoutLoss(Objective):
    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        return {"acc": super().metrics(outputs, targets)["acc"]}


class NoMetrics(Objective):
    metrics = None  # pyright: ignore[reportAssignmentType]


class MetricsThatFail(Objective):
    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        return {"loss": outputs[:, 99].mean()}


class LossWithoutSlope(Objective):
    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().inner_loss(outputs.detach(), targets)


# --- datasets


class Noise:
    """A split of made-up images: `spoil` is done to each episode, by its number."""

    def __init__(self, name: str, spoil: Callable[[Episode, int], Episode]) -> None:
        self.name, self.spoil = name, spoil

    def to(self, device: Any, dtype: torch.dtype) -> Noise:
        return self

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        labels = torch.arange(spec.ways)
        support, queries = (labels.repeat_interleave(n) for n in (spec.shots, spec.queries))
        size = spec.batch_size or len(support)
        batches = torch.arange(spec.steps * size).reshape(-1, size) % len(support)
        x, made = torch.ones(1, 28, 28), torch.Generator().manual_seed(index)
        support_x, query_x = (
            torch.rand(len(y), *x.shape, generator=made) for y in (support, queries)
        )
        return self.spoil(Episode(support_x, support, query_x, queries, batches), index)

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        return bytes([index % 256])

    def check(self, spec: EpisodeSpec) -> None:
        pass


@dataclass
class Dataset:
    """A user's own dataset, which brings an objective of this name along."""

    brings: str = "Objective"
    spoilt: str = "nothing"

    name: ClassVar[str] = "noise"
    objective: Any = field(init=False)

    def __post_init__(self) -> None:
        self.objective = globals()[self.brings]()

    def open(self) -> dict[str, Any]:
        return {name: Noise(name, SPOILS[self.spoilt]) for name in ("train", "val", "test")}


def with_nan(episode: Episode, index: int) -> Episode:
    return episode._replace(support_x=episode.support_x * float("nan"))


def with_unequal_queries(episode: Episode, index: int) -> Episode:
    count = len(episode.query_y) - index % 2
    return episode._replace(query_x=episode.query_x[:count], query_y=episode.query_y[:count])


def with_channels_last(episode: Episode, index: int) -> Episode:
    return episode._replace(
        support_x=episode.support_x.expand(-1, 3, -1, -1).movedim(1, -1),
        query_x=episode.query_x.expand(-1, 3, -1, -1).movedim(1, -1),
    )


def without_channels(episode: Episode, index: int) -> Episode:
    return episode._replace(support_x=episode.support_x[:, 0], query_x=episode.query_x[:, 0])


SPOILS: dict[str, Callable[[Episode, int], Episode]] = {
    "nothing": lambda episode, index: episode,
    "not finite": with_nan,
    "unequal queries": with_unequal_queries,
    "channels last": with_channels_last,
    "no channels": without_channels,
}
