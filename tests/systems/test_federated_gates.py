"""What FocuSFT and HARMONY must show, by three seeds on test tasks that all arms share: the two
sweeps as they are shipped. `make gates` runs them; an hour on two cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fewstep.commands import train
from fewstep.records.two_way import two_way
from swept_figures import below, between, figures


pytestmark = pytest.mark.long


def told(run: dict[str, Any]) -> tuple[str, bool]:
    return run["label"], run["config"]["model"]["bidirectional"]


def check_focusft(sweep: Path) -> None:
    """Fine-tuning learns contexts of 32, and the published step does harm at this size; nothing
    is asked of the sign that the paper has."""
    arms = figures(sweep, "acc", 1, arm=told)
    far, mass = (figures(sweep, name, 1, arm=told) for name in ("far_acc", "needle_mass"))
    for name in sorted(arms):
        print(name, arms[name].mean(), far[name].mean(), mass[name].mean())
    labels = ("SFT", "SFT, 3 x the steps", "bilevel, eta 1", "bilevel, eta 0.1")
    assert set(arms) == {(label, both) for label in labels for both in (False, True)}
    assert arms["SFT", False].mean() >= 0.95
    for both in (False, True):
        print(both, between(two_way(arms["bilevel, eta 0.1", both] - arms["SFT", both])))
        assert below(arms["bilevel, eta 1", both], arms["SFT", both])


def check_harmony(sweep: Path) -> None:
    """On the classes of others: one network for all is far ahead of parts of one, and these of
    networks of one's own; features are alike in the same order."""
    own, others, cka = (figures(sweep, n, 14) for n in ("acc", "server_others", "cka"))
    for name in sorted(own):
        print(name, own[name].mean(), others[name].mean(), cka[name].mean())
    for name in ("per-entry mean", "Reptile, eps 1 to 0", "mean and contrast"):
        for found in (others, cka):
            assert below(found["local extractors"], found[name])
            assert below(found[name], found["homogeneous"])
    gain = between(two_way(others["mean and contrast"] - others["per-entry mean"]))
    print("contrast - mean", gain)


def test_a_lora_of_ones_own_does_not_help_at_this_size(tmp_path: Path) -> None:
    start = tmp_path / "start"
    assert train.main(["experiment=recall_sft", f"hydra.run.dir={start}"]) == 0
    words = ["sweep=focusft", f"init={start}", f"hydra.sweep.dir={tmp_path / 'swept'}"]
    assert train.main(words) == 0
    check_focusft(tmp_path / "swept")


def test_what_is_averaged_means_the_same(tmp_path: Path, real_data: Path) -> None:
    words = ["sweep=harmony", f"dataset.root={real_data}", f"hydra.sweep.dir={tmp_path}"]
    assert train.main(words) == 0
    check_harmony(tmp_path)
