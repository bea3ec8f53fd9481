"""Where a language model looks when it answers."""

from __future__ import annotations

from itertools import product

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.peek import seen
from fewstep.core.types import Episode, Start
from fewstep.data.recall import IGNORED
from fewstep.records.figures.style import PALETTE, STYLE
from fewstep.run.pictures.finished import Finished


TASKS = 16


class Needles:
    """needles.png: what the answer's tokens look at in a test context, a row a head, with the
    needle that is asked for between lines; and its share of the attention in several contexts."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        episodes = [finished.episode(index) for index in range(TASKS)]
        found = torch.stack([finished.of(_looks, episode) for episode in episodes])
        _, layers, each, _ = found.shape
        places, looks = product(range(1, layers + 1), range(1, each + 1)), found.flatten(1, 2)
        heads = [f"layer {layer}, head {head}" for layer, head in places]
        needles = torch.stack([episode.extras["needles"][0] for episode in episodes])
        shares = (looks * needles[:, None].to(looks.dtype)).sum(-1)  # [tasks, heads]
        (first, *_, last) = needles[0].nonzero().flatten().tolist()
        with plt.rc_context({**STYLE, "axes.grid": False}):
            size, ratios = (11, 0.34 * len(heads) + 1.6), {"width_ratios": [3.2, 1]}
            figure, (left, right) = plt.subplots(
                1, 2, figsize=size, gridspec_kw=ratios, layout="constrained", sharey=True
            )
            left.imshow(looks[0].numpy(), aspect="auto", cmap="Blues", vmin=0, vmax=1)
            for edge in (first - 0.5, last + 0.5):
                left.axvline(edge, color=PALETTE[1], lw=1.5)
            left.set(xlabel="place in the context", title="one question: attention of its answer")
            left.set_yticks(range(len(heads)), heads)
            right.barh(range(len(heads)), shares.mean(0).numpy(), color=PALETTE[0])
            right.set(xlim=(0, 1), xlabel="share on the needle", title=f"{TASKS} questions")
            finished.save(figure, "needles.png")


def _looks(net: Net, start: Start, episode: Episode) -> Tensor:
    """[layers, heads, T]: the mean over an answer's tokens."""
    with torch.no_grad():
        weights = torch.stack(seen(net, start.params, episode.query_x[:1], "attends"))
    return weights[:, 0, :, episode.query_y[0] != IGNORED].mean(2).cpu()
