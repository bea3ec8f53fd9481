"""Which modulation is it: radio signals under a channel of the task's own.

A task is one channel, the same to all its signals, and its classes are always the same, so that a
network that knows them clean has an answer before it has adapted. Signals are complex,
[n, samples], of unit power on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from fewstep.core.objectives import Classification
from fewstep.core.types import EpisodeSpec
from fewstep.data.family import Family, Made
from fewstep.data.numbers import uniform
from fewstep.data.options import check_count, must_be, some
from fewstep.data.sampler import CLASSES, IMAGES, Draws


SPS, SPAN, BETA = 8, 6, 0.35
"""Samples a symbol; symbols that a pulse is long; how much more bandwidth than the least it has."""
DELAYS, ECHOES = (1, SPS), (0.2, 0.7)
"""Of the two echoes, in samples, and their strengths."""
CFO, GAIN, SKEW = 0.006, 0.35, 0.5
"""The largest of each, to either side."""


def _levels(n: int) -> np.ndarray:
    return np.arange(1 - n, n, 2).astype(complex)


def _circle(n: int) -> np.ndarray:
    return np.exp(2j * np.pi * (np.arange(n) + 0.5) / n)


POINTS: dict[str, np.ndarray] = {
    "bpsk": _levels(2),
    "qpsk": _circle(4),
    "psk8": _circle(8),
    "pam4": _levels(4),
    "qam16": (_levels(4)[:, None] + 1j * _levels(4)).ravel(),
    "qam64": (_levels(8)[:, None] + 1j * _levels(8)).ravel(),
}
"""What a symbol may be."""
MSK = "msk"
"""Minimum-shift keying, whose phase turns a quarter to one side or the other with each symbol."""
KNOWN = (*POINTS, MSK)
CHANNELS = ("shifted", "clean")


@dataclass
class Modulation(Family):
    """Signals [2, samples] of each modulation: real and imaginary parts."""

    channel: str = "shifted"
    """`shifted`: two echoes, a carrier that is off, axes that are neither alike nor square, noise;
    `clean`: nothing of all that."""
    samples: int = 128
    modulations: Sequence[str] = ("bpsk", "qpsk", "psk8", "pam4", "qam16", "msk")
    """The classes, in the order of the logits."""
    snr: Sequence[float] = (8.0, 14.0)
    """Between which signal to noise is drawn, in dB."""

    name: ClassVar[str] = "modulation"
    objective: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            known = ", ".join(CHANNELS)
            raise ValueError(f"dataset.channel={self.channel}: must be one of {known}")
        names = f"two or more of {', '.join(KNOWN)}"
        must_be("modulations", self.modulations, some(bool), names, "[bpsk,qpsk]")
        if unknown := [name for name in self.modulations if name not in KNOWN]:
            raise ValueError(
                f"dataset.modulations={list(self.modulations)}: {unknown[0]} is none. Known are "
                f"{', '.join(KNOWN)}"
            )
        if len(self.modulations) < 2 or len({*self.modulations}) < len(self.modulations):
            raise ValueError(
                f"dataset.modulations={list(self.modulations)}: must be two or more, each once. "
                "Leave repeated ones out"
            )
        given = self.snr if isinstance(self.snr, list | tuple) else ()
        finite = [n for n in given if isinstance(n, int | float) and math.isfinite(n)]
        if not (len(given) == len(finite) == 2 and finite[0] <= finite[1]):
            raise ValueError(
                f"dataset.snr={self.snr}: must be two finite numbers of dB, the lower first. "
                "For example dataset.snr=[8,14], or dataset.channel=clean for no noise"
            )
        check_count("samples", self.samples, 128)

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        n, length, channel = spec.shots + spec.queries, self.samples, self.channel_of(draws)
        symbols, signals = -(-length // SPS) + SPAN, []
        for position, name in enumerate(self.modulations):
            drawn = uniform(draws.words(IMAGES + position, n * (symbols + 2 * length))).reshape(
                n, -1
            )
            u, v = np.split(drawn[:, symbols:], 2, axis=1)
            noise = np.sqrt(-np.log(u)) * np.exp(2j * np.pi * v)  # of unit power
            heard = channel.received(sent(name, drawn[:, :symbols], length), noise)
            signals.append(np.stack([np.real(heard), np.imag(heard)], 1))
        x, y = np.stack(signals), np.arange(spec.ways)
        support_x, query_x = (part.reshape(-1, 2, length) for part in np.split(x, [spec.shots], 1))
        return Made(support_x, y.repeat(spec.shots), query_x, y.repeat(spec.queries))

    def channel_of(self, draws: Draws) -> Channel:
        """That of a task."""
        if self.channel == "clean":
            return Channel()
        u, (first, last), (weak, strong) = uniform(draws.words(CLASSES, 10)), DELAYS, ECHOES
        echoes = (weak + (strong - weak) * u[2:4]) * np.exp(2j * np.pi * u[4:6])
        cfo, gain, skew = (np.array([CFO, GAIN, SKEW]) * (2 * u[6:9] - 1)).tolist()
        delays = (first + (last - first + 1) * u[:2]).astype(int)
        low, high = self.snr
        snr = float(low + (high - low) * u[9])
        return Channel(tuple(delays.tolist()), tuple(echoes.tolist()), cfo, gain, skew, snr)

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """The task's key and its counts: its channel and all signals follow from the same draws."""
        return draws.key().tobytes() + np.array([spec.shots, spec.queries], "<i8").tobytes()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        if spec.ways != len(self.modulations):
            raise ValueError(
                f"shots.ways={spec.ways}: a task has every one of the {len(self.modulations)} "
                f"modulations. Set it to {len(self.modulations)}"
            )


def pulse() -> np.ndarray:
    """The root of a raised cosine, with unit energy: [SPAN * SPS + 1]."""
    t = (np.arange(SPAN * SPS + 1) - SPAN * SPS / 2) / SPS + 1e-9  # beside where it is 0 / 0
    up = np.sin(np.pi * t * (1 - BETA)) + 4 * BETA * t * np.cos(np.pi * t * (1 + BETA))
    taps = up / (np.pi * t * (1 - (4 * BETA * t) ** 2))
    return taps / np.linalg.norm(taps)


def sent(modulation: str, chosen: np.ndarray, samples: int) -> np.ndarray:
    """Signals [n, samples] of the symbols that numbers [n, symbols] in (0, 1) choose; those of the
    first and the last symbols are heard in part."""
    if modulation == MSK:
        turns = np.where(chosen < 0.5, -1.0, 1.0).repeat(SPS, axis=1) / (4 * SPS)
        return np.exp(2j * np.pi * turns.cumsum(axis=1))[:, :samples]
    points, symbols = POINTS[modulation], chosen.shape[1]
    points = points / np.sqrt(np.mean(np.abs(points) ** 2))
    pulses = np.zeros((symbols, (symbols + SPAN) * SPS + 1))
    for k in range(symbols):
        pulses[k, k * SPS : (k + SPAN) * SPS + 1] = pulse()
    heard = pulses[:, SPAN * SPS : SPAN * SPS + samples] * math.sqrt(SPS)
    return points[(chosen * len(points)).astype(int)] @ heard


@dataclass(frozen=True)
class Channel:
    """What happens on the way, the same to all signals of a task; by default nothing."""

    delays: tuple[int, ...] = ()
    """Of each echo, in samples."""
    echoes: tuple[complex, ...] = ()
    """Its strength and phase."""
    cfo: float = 0.0
    """How far the receiver's carrier is off, in turns a sample."""
    gain: float = 0.0
    """How much more the receiver makes of the real part."""
    skew: float = 0.0
    """The angle by which its two axes are not square."""
    snr: float = math.inf
    """Signal to noise, in dB."""

    def received(self, signals: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """What arrives of signals [n, samples], with complex noise of unit power added."""
        heard, samples = signals.copy(), signals.shape[1]
        for delay, echo in zip(self.delays, self.echoes, strict=True):
            heard[:, delay:] += echo * signals[:, : max(samples - delay, 0)]
        turned = heard * np.exp(2j * np.pi * self.cfo * np.arange(samples))
        crossed = turned.imag * np.cos(self.skew) + turned.real * np.sin(self.skew)
        heard = (1 + self.gain) * turned.real + 1j * crossed
        power = np.mean(np.abs(heard) ** 2, axis=1, keepdims=True)
        return heard / np.sqrt(power) + 10 ** (-self.snr / 20) * noise
