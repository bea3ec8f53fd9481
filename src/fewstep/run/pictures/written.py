"""What support tokens write into Hebbian fast weights, and what queries make of it."""

from __future__ import annotations

import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.problem import given
from fewstep.core.types import Episode, Start
from fewstep.models.hebbian import FastWeights
from fewstep.records.figures.style import STYLE
from fewstep.run.pictures.finished import Finished


class Written:
    """written.png: the support set of a test task, the fast weights that it writes, and how queries
    are told apart without them and with them."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        episode = finished.episode()
        fast = finished.of(_fast, episode)
        tables = (
            {"without fast weights": 0.0, "with them": None} if fast is not None else {"": None}
        )
        with plt.rc_context({**STYLE, "axes.grid": False}):
            count = 1 + (fast is not None) + len(tables)
            figure, panels = plt.subplots(
                1, count, figsize=(3.6 * count, 3.8), layout="constrained"
            )
            panels[0].imshow(_sheet(episode.support_x).numpy(), cmap="gray")
            panels[0].set(title="support", xticks=[], yticks=[])
            if fast is not None:
                largest = float(fast.abs().max()) or 1.0
                panels[1].imshow(fast.numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest)
                panels[1].set(title="fast weights F", xlabel="key", ylabel="value")
            for axes, (title, gain) in zip(panels[-len(tables) :], tables.items(), strict=True):
                chances = finished.of(partial(_chances, gain=gain), episode)
                right = (chances.argmax(1) == episode.query_y.cpu()).double().mean()
                axes.imshow(chances.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
                axes.set(xlabel="class", ylabel="query", title=f"{title}: {right:.0%}".strip(": "))
            finished.save(figure, "written.png")


def _fast(net: Net, start: Start, episode: Episode) -> Tensor | None:
    """F of the last layer that has fast weights; None where none has."""
    layers = [layer for layer in net.module.modules() if isinstance(layer, FastWeights)]
    if not layers:
        return None
    seen: list[Tensor] = []

    def look(layer: FastWeights, args: tuple[Tensor, int], _: Tensor) -> None:
        seen.append(layer.memory(layer.norm(args[0])[: args[1]]).detach())

    handle = layers[-1].register_forward_hook(look)
    try:
        net(start.params, episode.query_x, given(net.module, episode))
    finally:
        handle.remove()
    return seen[-1].cpu()


def _chances(net: Net, start: Start, episode: Episode, *, gain: float | None) -> Tensor:
    """The chance of each class for each query [B, N], with every layer's gain or another one."""
    params = {
        name: p if gain is None or not name.endswith(".gain") else gain * p
        for name, p in start.params.items()
    }
    with torch.no_grad():
        return net(params, episode.query_x, given(net.module, episode)).softmax(1).cpu()


def _sheet(images: Tensor) -> Tensor:
    """The first channel of images [S, C, H, W] side by side, in a square."""
    side = math.ceil(len(images) ** 0.5)
    sheet = images.new_ones(side * side, *images.shape[2:])
    sheet[: len(images)] = images[:, 0]
    rows = sheet.unflatten(0, (side, side)).transpose(1, 2)
    return rows.reshape(side * images.shape[2], -1).cpu()
