"""What a channel makes of modulations, and which of them are told before and after adapting."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from fewstep.data.modulation import SPAN, SPS, Channel, Modulation, pulse, sent
from fewstep.data.numbers import uniform
from fewstep.data.sampler import Draws
from fewstep.records.figures.style import PALETTE, STYLE
from fewstep.run.pictures.finished import Finished


SIGNALS = 30
"""Of each modulation."""


class Constellations:
    """constellations.png: symbols as they were sent and as the first test task hears them."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        split, seed = finished.tasks.splits["test"], finished.tasks.eval_seed
        family = getattr(split, "family", None)
        if not isinstance(family, Modulation):
            return  # signals of somebody's own
        channel, episode = family.channel_of(Draws(seed, split.name, 0)), finished.episode()
        wanted = episode.query_y.cpu()
        hits = [answer.argmax(1).cpu() == wanted for answer in finished.before_and_after(episode)]
        with plt.rc_context(STYLE):
            size = (2 * len(family.modulations), 4.6)
            figure, (top, low) = plt.subplots(
                2, len(family.modulations), figsize=size, squeeze=False, layout="constrained"
            )
            for i, name in enumerate(family.modulations):
                for axes, seen in zip((top[i], low[i]), _symbols(name, channel), strict=True):
                    axes.scatter(
                        np.real(seen), np.imag(seen), s=3, alpha=0.4, color=PALETTE[0], lw=0
                    )
                    axes.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal", xticks=[], yticks=[])
                top[i].set_title(name)
                before, after = (right[wanted == i].float().mean().item() for right in hits)
                low[i].set_xlabel(f"{100 * before:.0f} % told,\nadapted {100 * after:.0f} %")
            top[0].set_ylabel("sent")
            low[0].set_ylabel(f"received, {channel.snr:.0f} dB")
            finished.save(figure, "constellations.png")


def _symbols(modulation: str, channel: Channel) -> tuple[np.ndarray, np.ndarray]:
    """What a receiver that knows the pulse sees in the middle of each symbol, sent and received."""
    draws, samples = Draws(0, modulation, 0), 20 * SPS
    chosen = uniform(draws.words(0, SIGNALS * (20 + SPAN))).reshape(SIGNALS, -1)
    u, v = uniform(draws.words(1, 2 * SIGNALS * samples)).reshape(2, SIGNALS, samples)
    noise = np.sqrt(-np.log(u)) * np.exp(2j * np.pi * v)
    clean, taps = sent(modulation, chosen, samples), pulse() / np.sqrt(SPS)
    found = []
    for signals in (clean, channel.received(clean, noise)):
        heard = np.stack([np.convolve(signal, taps, "same") for signal in signals])
        found.append(heard[:, SPAN * SPS // 2 : -SPAN * SPS // 2 : SPS].ravel())
    return found[0], found[1]
