"""Each algorithm of the family is trained with the outer rate that meta-validation chose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from family.rates import FILE, best, gathered, rates, table


VARIANTS = sorted((Path(__file__).parents[2] / "conf" / "variant" / "family").glob("*.yaml"))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda file: file.stem)
def test_the_rate_that_is_chosen_is_the_best_of_three(variant: Path) -> None:
    says = yaml.safe_load(variant.read_text())
    named, chosen = says["point"]["rates"], says["point"].get("chosen", "middle")
    tried = rates(json.loads(FILE.read_text()))[says["label"]]
    assert sorted(tried) == sorted(named.values())
    assert named[chosen] == best(tried)


def job(folder: Path, label: str, lr: float, *accuracies: float) -> None:
    folder.mkdir()
    told = {name: name for name in ("command", "git_commit", "seed", "device", "dataset_split")}
    told |= {"label": label, "meta_iterations": 8, "gradients_taken": 80}
    told["config"] = {"algorithm": {"outer": {"lr": lr}}, "eval": {"val_tasks": 5}}
    (folder / "results.json").write_text(json.dumps(told))
    rows = [f"{4 * n + 4},{acc},0.01" for n, acc in enumerate(accuracies)]
    (folder / "metrics.csv").write_text(
        "\n".join(["meta_iteration,val/acc,val/acc_ci95", *rows, ""])
    )


def test_the_last_validation_decides_and_equals_take_the_smaller_rate(tmp_path: Path) -> None:
    job(tmp_path / "0", "a", 0.3, 0.9, 0.5)
    job(tmp_path / "1", "a", 0.1, 0.1, 0.6)
    job(tmp_path / "2", "b", 0.1, 0.7)
    job(tmp_path / "10", "b", 0.2, 0.7)
    found = gathered(tmp_path)
    assert {label: best(tried) for label, tried in rates(found).items()} == {"a": 0.1, "b": 0.1}
    assert "**0.1: 60.0 ± 1.0** | 0.3: 50.0 ± 1.0" in table(found)


def test_a_job_without_a_validation_is_no_choice(tmp_path: Path) -> None:
    job(tmp_path / "0", "a", 0.3)
    with pytest.raises(ValueError, match="was not validated"):
        gathered(tmp_path)
