"""`init`: a training starts from the weights of another one, and is hashed by what they are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.data.made_splits import made_split
from torch import Tensor, nn

from fewstep.commands import following, train
from fewstep.commands.merging import merged
from fewstep.config.compose import compose_config, plain
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash
from fewstep.run.construction import assembly
from fewstep.run.stored import checkpoint, origin, shipped, starting
from fewstep.run.stored.checkpoint_contents import trained_on
from fewstep.run.stored.weights import Weights, digest
from fewstep.run.testing import baselines
from fewstep.run.testing.tested import Asked, unseen


SMALL = ["dataset.classes=60", "model.channels=4", "trainer=cpu"]


def config_of(*words: str) -> dict[str, Any]:
    return plain(compose_config("train", [*SMALL, *words]))


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return config_of()


@pytest.fixture(scope="module")
def other(config) -> dict[str, Tensor]:
    """The weights of a network of another seed."""
    return assembly.draft({**config, "seed": 5}).learner.state_dict()


@pytest.fixture
def saved(config, other, tmp_path: Path) -> Path:
    """A checkpoint of them."""
    return save(tmp_path / "other.ckpt", config, other)


def save(file: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    ours = {"config": config, "meta_iteration": 3, "inner_state": {}}
    torch.save({"state_dict": tensors, "fewstep": ours}, file)
    return file


def same(learner: nn.Module, tensors: dict[str, Tensor]) -> bool:
    own = learner.state_dict()
    return own.keys() == tensors.keys() and all(torch.equal(own[n], t) for n, t in tensors.items())


def test_a_training_starts_from_the_weights_and_so_does_the_joint_baseline(
    config, other, saved, tmp_path
) -> None:
    beside = {**config["baselines"], "joint": {**config["algorithm"], "name": "joint"}}
    experiment = assembly.draft({**config, "init": str(saved), "baselines": beside})
    assert same(experiment.learner, other)
    assert same(baselines.joint_baseline(experiment, tmp_path).learner, other)
    plain = assembly.draft(config).learner
    assert not same(plain, other)
    random = baselines.untrained(experiment).learner  # which is what it is called
    assert same(random, plain.state_dict())


def test_it_starts_from_what_was_tested_where_a_run_kept_an_average(config, other, tmp_path):
    path = save(tmp_path / "averaged.ckpt", config, other)
    content = torch.load(path, weights_only=True)
    params = {"head.weight": other["module.head.weight"] + 1}
    content["fewstep"]["average"] = {"steps": 2, "params": params}
    torch.save(content, path)
    found = starting.weights({"init": str(path)})
    assert found is not None
    assert torch.equal(found.tensors["head.weight"], params["head.weight"])
    assert torch.equal(found.tensors["head.bias"], other["module.head.bias"])


def test_a_shipped_one_and_a_run_directory_are_found(config, other, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "2030-01-01_00-00-00-000000" / "checkpoints"
    folder.mkdir(parents=True)
    save(folder / "last.ckpt", config, other)
    (folder.parent / "config.yaml").write_text(yaml.safe_dump(config))
    for path in (tmp_path / "mine", folder.parent, folder / "last.ckpt"):
        found = starting.weights({"init": str(path)})
        assert found is not None
        assert all(torch.equal(found.tensors[n.removeprefix("module.")], other[n]) for n in other)
    glyphs = starting.weights({"init": "glyphs"})
    assert glyphs is not None
    assert glyphs.tensors.keys() == {
        n.removeprefix("module.") for n in shipped.content("glyphs")["state_dict"]
    }


def test_a_run_is_hashed_by_what_the_weights_are(config, other, saved, tmp_path: Path) -> None:
    def hash_of(**more: Any) -> str:
        asked = {**config, **more}
        return config_hash({**asked, **following.of_training(asked)})

    older = {n: v for n, v in config.items() if n not in ("init", "init_sha256")}
    assert hash_of() == config_hash(older) == config_hash(config)
    first = hash_of(init=str(saved))
    assert first != hash_of()
    elsewhere = save(tmp_path / "moved.ckpt", {**config, "seed": 9}, other)
    assert hash_of(init=str(elsewhere)) == first
    pinned = following.of_training({**config, "init": str(saved)})
    assert hash_of(init=str(elsewhere), **pinned) == first
    changed = save(tmp_path / "changed.ckpt", config, {n: t + 1 for n, t in other.items()})
    assert hash_of(init=str(changed)) != first


def test_a_run_that_goes_on_needs_the_weights_no_more(config, other, saved, tmp_path) -> None:
    begun = {**config, "init": str(saved)}
    begun |= following.of_training(begun)
    cut = save(tmp_path / "cut.ckpt", begun, {n: t + 1 for n, t in other.items()})
    saved.unlink()
    goes_on = {**config, "init": str(saved), "resume": str(cut)}
    assert following.of_training(goes_on) == {"init_sha256": begun["init_sha256"]}
    resumed = assembly.draft({**goes_on, **following.of_training(goes_on)})
    assert resumed.init is None
    checkpoint.same_recipe(resumed, checkpoint.read(cut), cut)
    base, _ = merged({**plain(compose_config("evaluate", [f"checkpoint={cut}"]))})
    assert base["init"] is None
    assert base["init_sha256"] == begun["init_sha256"]


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.more = nn.Linear(3, 2), nn.Linear(2, 4), nn.Linear(1, 1)


def weights(**shapes: tuple[int, ...]) -> Weights:
    tensors = {n.replace("_", "."): torch.ones(shape) for n, shape in shapes.items()}
    return Weights("FILE", tensors)


def test_what_does_not_fit_is_listed() -> None:
    with pytest.raises(ConfigError) as refusal:
        weights(body_weight=(2, 3), head_weight=(5, 2), head_bias=(5,), gone=(1,)).give(Wide(), "W")
    assert str(refusal.value) == (
        "init=FILE: 3 of its 4 tensors do not fit model._target_=W: head.weight is (5, 2) and "
        "(4, 2) there, head.bias is (5,) and (4,) there, gone has no place there. Use the model "
        "and the shots.ways they were trained with, or other weights"
    )
    many = weights(**{f"layer{i}": (1,) for i in range(7)})
    with pytest.raises(ConfigError, match=r"layer3 has no place there and 3 more\. Use"):
        many.give(Wide(), "W")


def test_what_the_network_has_besides_keeps_its_beginning() -> None:
    module, given = Wide(), weights(body_weight=(2, 3), body_bias=(2,))
    before = module.head.weight.clone()
    given.give(module, "W")
    assert torch.equal(module.body.weight, torch.ones(2, 3))
    assert torch.equal(module.head.weight, before)
    assert given.summary(module) == (
        "init=FILE: 2 tensors start from it; 4 begin as the network has them (head.weight, "
        "head.bias, more.weight, more.bias)"
    )


def test_what_is_shipped_says_what_it_was_trained_on() -> None:
    for name, count, one in (("omniglot", 4800, "rot90"), ("glyphs", 700, "glyph699")):
        found = starting.weights({"init": name})
        assert found is not None
        assert len(set(found.trained_on)) == count
        assert any(one in known for known in found.trained_on)


@pytest.fixture
def seen(config, other, tmp_path: Path) -> Path:
    """A checkpoint that was trained on classes, and began from one that was trained on more."""
    file = save(tmp_path / "seen.ckpt", config, other)
    content = torch.load(file, weights_only=True)
    content["fewstep"]["classes"] = {"train": ["glyph3", "glyph50"]}
    content["fewstep"]["trained_before"] = ["glyph59", "far away"]
    torch.save(content, file)
    return file


def test_weights_that_know_the_classes_of_the_test_are_refused(
    seen: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    rest = "which would no longer be new. Use the split that it was trained with, or start from "
    for init, which in (
        (str(seen), "2 of the 12 test classes of dataset=glyphs (glyph50, glyph59)"),
        ("glyphs", "6 of the 6 val classes of dataset=glyphs (glyph42, glyph43, glyph44, ...)"),
    ):
        channels = "model.channels=64" if init == "glyphs" else "model.channels=4"
        assert train.main([*SMALL, channels, f"init={init}"]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"fewstep: init={init}: was trained on {which}, {rest}other weights")
    assert [path.name for path in tmp_path.iterdir()] == ["seen.ckpt"]


def test_checkpoints_hand_on_what_was_trained_on_before(config, seen: Path, tmp_path: Path) -> None:
    split = made_split([f"glyph{c}" for c in range(4)])
    splits = {"train": split.having("train", [0, 1]), "test": split.having("test", [2])}
    begun = replace(assembly.draft({**config, "init": str(seen)}), splits=splits)
    assert origin.resumed(begun) == splits
    said = origin.kept(begun)
    assert said["trained_before"] == ["glyph3", "glyph50", "glyph59", "far away"]
    assert "trained_before" not in origin.kept(replace(begun, init=None))
    on = replace(begun, init=None, resume=seen)
    assert origin.kept(on)["trained_before"] == ["glyph59", "far away"]
    assert trained_on({**said, "classes": None}) == said["trained_before"]
    asked = Asked(seen, "test", elsewhere=False, other_data=False, leaves_out=False)
    tested = split.having("test", [2, 3])
    with pytest.raises(ConfigError) as told:
        unseen(tested, begun, asked, said)
    text = f"checkpoint={seen}: was trained on 1 of the 2 test classes of dataset=glyphs (glyph3). "
    assert str(told.value) == (
        f"{text}Leave them out with eval.trained_classes=leave_out, or test on others"
    )
    lake = replace(begun, test=replace(begun.test, benchmark="lake"))
    with pytest.raises(ConfigError) as told:
        unseen(tested, lake, asked, said)
    assert str(told.value) == (
        f"{text}benchmark=lake asks for all. Test one of a training with dataset.split=background, "
        "which has seen none of them"
    )


REFUSED = {
    "init=glyph": "init=glyph: there is no such initialization, run or checkpoint. Did you mean "
    "glyphs? Choose glyphs, omniglot, a run directory of fewstep train, or a .ckpt file",
    "init=7": "init=7: must be a text or null. For example init=outputs/runs/NAME",
    "init=glyphs init_sha256=abc": "init=glyphs: holds other weights (sha256 ",
    "init_sha256=abc": "init_sha256=abc: tells weights, and init=None names none. Give both, or "
    "leave init_sha256 out",
    "init=glyphs shots=20w1s": "init=glyphs: 2 of its 18 tensors do not fit model._target_="
    "fewstep.models.OmniglotConv: head.bias is (5,) and (20,) there, head.weight is (5, 256) and",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_started_from_is_refused(words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(words.split()) == 2
    assert capsys.readouterr().err.startswith(f"fewstep: {REFUSED[words]}")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_jobs_of_a_sweep_start_from_weights_and_are_not_run_again(
    saved, tmp_path, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*SMALL, "max_meta_iterations=2", "eval.tasks=2", "eval.steps=1", "name=sweep"]
    words += ["eval.val_every=null", "meta_batch=1", f"init={saved}", "-m", "seed=1,2"]
    assert train.main(words) == 0
    folder = tmp_path / "outputs" / "sweeps" / "sweep" / "0"
    kept = yaml.safe_load((folder / "config.yaml").read_text())
    assert len(kept["init_sha256"]) == 64
    assert train.main(words) == 0
    assert "2 of them before" in capfd.readouterr().out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_weights_of_any_precision_have_a_hash(dtype: torch.dtype) -> None:
    one = torch.tensor([[0, 1], [0, 1]]).to(dtype)
    hashes = {digest({"w": one}), digest({"w": one.clone()}), digest({"w": one.T})}
    assert len(hashes) == 2
    by_hand = hashlib.sha256(f"['w'] (2, 2) {dtype}".encode())
    by_hand.update(bytes(one.untyped_storage()))
    assert digest({"w": one}) == by_hand.hexdigest()
