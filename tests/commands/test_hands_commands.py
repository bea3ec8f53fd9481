"""adapt, predict and export as a user types them."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import fewstep
from fewstep.commands import adapt, export, predict
from fewstep.use import fitting
from fewstep.use.about import ABOUT, SHEET, WEIGHTS
from fewstep.use.expected import Expected
from fewstep.use.pictures import own_words
from fewstep.use.reopening import load_classifier
from small_pictures import folder


@pytest.fixture(scope="module")
def adapted(tmp_path_factory) -> Path:
    """A folder with pictures, others, and a classifier of the first."""
    root = tmp_path_factory.mktemp("hands")
    folder(root / "photos")
    folder(root / "others", each=4, seed=1)
    words = [f"pictures={root / 'photos'}", "init=omniglot", f"classifier={root / 'made'}"]
    assert adapt.main([*words, "steps=5", "evaluate=false"]) == 0
    return root


def told(capsys, main, *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    out = capsys.readouterr()
    return status, out.out, out.err


def rows(file: Path) -> list[list[str]]:
    with file.open(newline="") as lines:
        return list(csv.reader(lines))


def test_adapt_says_what_to_expect_and_writes_three_files(tmp_path, capsys) -> None:
    photos, made = folder(tmp_path / "photos", each=2), tmp_path / "made"
    words = (f"pictures={photos}", "init=omniglot", f"classifier={made}", "steps=2")
    status, out, _ = told(capsys, adapt.main, *words)
    assert status == 0
    assert sorted(p.name for p in made.iterdir()) == [ABOUT, "expected.png", WEIGHTS]
    assert out.splitlines()[:2] == [
        "3 classes of 2 pictures: kind 0, kind 1, kind 2",
        "from omniglot",
    ]
    found = re.search(r"expected accuracy: (\d+) % \(95 % interval (\d+) to (\d+) %\)", out)
    assert found, out
    about = json.loads((made / ABOUT).read_text())
    assert about["expected"]["of"] == 6
    assert int(found[1]) == round(100 * about["expected"]["right"] / 6)
    assert about["initialization"]["name"] == "omniglot"
    assert len(about["initialization"]["sha256"]) == 64
    with Image.open(made / "expected.png") as sheet:
        assert sheet.size[0] > 200


def test_what_is_white_and_how_large_is_said_once_for_all_that_is_written(tmp_path, capsys) -> None:
    photos, made = folder(tmp_path / "photos", each=1, classes=2), tmp_path / "made"
    for kind in photos.iterdir():
        deep = Image.fromarray(np.random.default_rng(0).integers(0, 900, (9, 9)).astype(np.int32))
        deep.save(kind / "deep.tiff")
    words = (f"pictures={photos}", "init=omniglot", f"classifier={made}", "steps=0", "white=900")
    status, out, error = told(capsys, adapt.main, *words)
    assert status == 0, error
    assert "made: classifier.json, weights.safetensors, expected.png" in out
    with Image.open(made / "expected.png") as sheet:
        assert sheet.size[0] > 350  # what it says at the top is wider than two pictures
        ink = np.asarray(sheet.convert("L"))
    assert (ink[:, -8:] == 255).all()


def test_predict_has_a_row_a_picture_in_the_order_given(adapted, tmp_path, capsys) -> None:
    out = tmp_path / "found.csv"
    files = sorted((adapted / "others").rglob("*.png"))[::-1]
    words = (f"classifier={adapted / 'made'}", f"pictures={files[0]}", *map(str, files[1:]))
    assert told(capsys, predict.main, *words, f"out={out}")[0] == 0
    head, *found = rows(out)
    assert head == [
        "file",
        "class",
        "probability",
        "second_class",
        "second_probability",
        "third_class",
        "third_probability",
        "error",
    ]
    assert [row[0] for row in found] == [str(file) for file in files]
    made = fewstep.load_classifier(adapted / "made")
    wanted = made.predict_proba(files)
    for row, chances in zip(found, wanted, strict=True):
        order = np.argsort(-chances)
        assert row[1::2][:3] == [made.classes[i] for i in order]
        assert row[2::2][:3] == [f"{chances[i]:.4f}" for i in order]
        assert row[7] == ""


def test_the_same_pictures_give_the_same_file_however_they_come(adapted, tmp_path, capsys) -> None:
    one, parts = tmp_path / "one.csv", []
    base = f"classifier={adapted / 'made'}"
    assert told(capsys, predict.main, base, f"pictures={adapted / 'others'}", f"out={one}")[0] == 0
    for place, kind in enumerate(sorted((adapted / "others").iterdir())):
        part = tmp_path / f"{place}.csv"
        told(capsys, predict.main, base, f"pictures={kind}", f"out={part}")
        parts += rows(part)[1:]
    assert rows(one)[1:] == parts
    packed = tmp_path / "others.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for picture in sorted((adapted / "others").rglob("*.png")):
            file.write(picture, picture.relative_to(adapted / "others"))
    again = tmp_path / "zip.csv"
    told(capsys, predict.main, base, f"pictures={packed}", f"out={again}")
    assert [row[1:] for row in rows(again)[1:]] == [row[1:] for row in parts]


def test_a_file_that_cannot_be_read_is_a_row_with_its_reason(adapted, tmp_path, capsys) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(adapted / "others" / "kind 0", mixed)
    (mixed / "000a.png").write_bytes(b"no picture")
    (mixed / "notes.txt").write_text("x")
    (mixed / "empty.jpg").touch()
    out, base = tmp_path / "found.csv", f"classifier={adapted / 'made'}"
    (mixed / "link.png").symlink_to("nowhere")
    gone = tmp_path / "gone.png"
    words = (f"pictures={mixed},{gone}", f"out={out}")
    status, said, error = told(capsys, predict.main, base, *words)
    assert status == 1
    assert "4 of 9 pictures predicted" in said
    assert f"5 of 9 files cannot be used: see `error` in {out}" in error
    found = {Path(row[0]).name: row for row in rows(out)[1:]}
    for name in ("000a.png", "notes.txt", "empty.jpg"):
        assert "cannot be read as an image" in found[name][7]
        assert found[name][1] == ""
    for name in ("gone.png", "link.png"):
        assert "cannot be read (No such file" in found[name][7]
    assert all(row[1] for name, row in found.items() if name.startswith("0") and name[3] == ".")


def test_a_saved_classifier_answers_as_it_did(tmp_path) -> None:
    images = sorted(folder(tmp_path / "photos").rglob("*.png"))
    labels = [image.parent.name for image in images]
    made = fewstep.load("omniglot").adapt(images, labels, steps=3)
    made.evaluate()
    made.save(tmp_path / "parts")
    again = fewstep.load_classifier(tmp_path / "parts")
    assert np.array_equal(again.predict_proba(images), made.predict_proba(images))
    assert again.expected == made.expected
    assert again.classes == made.classes
    with pytest.raises(ValueError, match="a classifier that was loaded has no pictures"):
        again.evaluate()
    init = fewstep.load(tmp_path / "parts")
    assert init.origin == fewstep.load("omniglot").origin


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_an_export_answers_as_torch_does(adapted, tmp_path, capsys, ending) -> None:
    to = tmp_path / f"model.{ending}"
    status, out, _ = told(capsys, export.main, f"classifier={adapted / 'made'}", f"to={to}")
    assert status == 0
    assert float(re.search(r"from torch on 100 pictures: (\S+)", out)[1]) <= 1e-4
    assert not [p for p in tmp_path.iterdir() if p.suffix not in (".py", f".{ending}")]
    if ending == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(to))
        about = session.get_modelmeta().custom_metadata_map
        assert json.loads(about["classes"]) == ["kind 0", "kind 1", "kind 2"]
        pixels = np.random.default_rng(1).integers(0, 256, (9, 28, 28, 1)).astype(np.uint8)
        wanted = fewstep.load_classifier(adapted / "made").probabilities(torch.from_numpy(pixels))
        found = session.run(None, {"pixels": pixels})[0]
        assert np.abs(found - wanted.numpy()).max() < 1e-4


@pytest.mark.slow
@pytest.mark.process
def test_the_example_beside_an_export_runs_by_itself(adapted, tmp_path) -> None:
    """From any folder, whatever it is called, and transparent is white there too."""
    to = tmp_path / "out" / 'the "model".onnx'
    assert export.main([f"classifier={adapted / 'made'}", f"to={to}"]) == 0
    pictures = [str(p) for p in sorted((adapted / "others").rglob("*.png"))[::5]]
    clear = Image.new("RGBA", (30, 30))
    clear.paste((0, 0, 0, 255), (3, 12, 27, 17))
    clear.save(tmp_path / "clear.png")
    pictures.append(str(tmp_path / "clear.png"))
    example = str(to.with_name('the "model"_example.py'))
    code = (
        f"import sys, runpy; sys.argv[1:] = sys.argv[2:]; runpy.run_path({example!r});"
        "assert not {'torch', 'fewstep'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-", *pictures], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = fewstep.load_classifier(adapted / "made")
    wanted = zip(pictures, made.predict(pictures), made.predict_proba(pictures), strict=True)
    lines = [f"{name} {label} {chances.max():.3f}" for name, label, chances in wanted]
    assert done.stdout.splitlines() == lines


# --- what cannot be is one line with the fix, and nothing is written


def broken(made: Path, tmp_path: Path, kind: str) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    about = json.loads((copy / ABOUT).read_text())
    if kind == "newer":
        (copy / ABOUT).write_text(json.dumps({**about, "schema": 99}))
    elif kind == "no json":
        (copy / ABOUT).write_text((copy / ABOUT).read_text()[:100])
    elif kind == "a key is missing":
        (copy / ABOUT).write_text(json.dumps({n: v for n, v in about.items() if n != "classes"}))
    elif kind == "cut short":
        (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:5000])
    elif kind == "other bytes":
        tensors = load_file(copy / WEIGHTS)
        save_file({n: t + 1 for n, t in tensors.items()}, copy / WEIGHTS)
    elif kind == "no weights":
        (copy / WEIGHTS).unlink()
    elif kind == "more classes":
        (copy / ABOUT).write_text(json.dumps({**about, "classes": ["a", "b"]}))
    elif kind in CHANGED:
        place, value, _ = CHANGED[kind]
        node = about
        for name in place[:-1]:
            node = node[name]
        node[place[-1]] = value
        (copy / ABOUT).write_text(json.dumps(about))
    elif kind == "a stranger's code":
        about["network"]["model"] = {"_target_": "os.system", "command": "true"}
        (copy / ABOUT).write_text(json.dumps(about))
    return copy


BROKEN = {
    "newer": "is of schema 99, and this fewstep",
    "no json": "classifier.json cannot be used (",
    "a key is missing": "classifier.json cannot be used (classes is missing)",
    "cut short": "weights.safetensors cannot be used (",
    "other bytes": "its bytes are not those that classifier.json was written with",
    "no weights": "weights.safetensors cannot be used (",
    "more classes": "network.outputs=3: must be the classes",
    "a stranger's code": "names os.system (model._target_)",
}


HAND = (
    "classifier.json cannot be used (it was changed after weights.safetensors was written with it)"
    ". Adapt again with fewstep adapt"
)
CHANGED: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "schema of text": (("schema",), "1", "schema=1: must be 1"),
    "schema 0": (("schema",), 0, "schema=0: must be 1"),
    "a class is NaN": (("classes",), [float("nan"), "b", "c"], "must be texts or numbers"),
    "of colour": (("preparation", "channels"), 3, "its network does not take 3x28x28"),
    "a size that is true": (("preparation", "size"), True, "size=True must be from 1"),
    "a cut that is text": (("preparation", "cut"), "yes", "cut=yes must be true or false"),
    "a list of resamples": (("preparation", "resample"), ["x"], "resample=['x'] one of"),
    "no class of a network": (("network", "model"), {}, "network must say how it is made"),
    "an argument": (("network", "model", "foo"), 3, "model.foo=3: OmniglotConv takes no such"),
    "what it takes": (
        ("network", "given"),
        {"x": 3},
        "network.given: weights.safetensors has no x",
    ),
    "no name": (("initialization", "name"), 3, "initialization must have a name"),
    "no expectation": (("expected",), 3, "expected=3: is none of evaluate's"),
    "swapped classes": (("classes",), ["kind 1", "kind 0", "kind 2"], HAND),
    "another name": (("classes",), ["kind 0", "kind 1", "other"], HAND),
    "another temperature": (("temperature",), 9.0, HAND),
    "another expectation": (("expected",), {"right": 9, "of": 3}, "is none of evaluate's"),
}
"""What stands in classifier.json, and is said of it."""
BROKEN |= {kind: text for kind, (_, _, text) in CHANGED.items()}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_damaged_classifier_is_refused(adapted, tmp_path, capsys, kind) -> None:
    copy, out = broken(adapted / "made", tmp_path, kind), tmp_path / "found.csv"
    words = (f"classifier={copy}", f"pictures={adapted / 'others'}", f"out={out}")
    status, _, error = told(capsys, predict.main, *words)
    assert (status, error.count("\n")) == (2, 1)
    assert BROKEN[kind] in error
    assert not out.exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_classifier_that_another_program_has_set_out_anew_is_the_same(adapted, tmp_path) -> None:
    shutil.copytree(adapted / "made", tmp_path / "copy")
    file = tmp_path / "copy" / ABOUT
    about = json.loads(file.read_text())
    file.write_text("\ufeff" + json.dumps(dict(reversed(about.items()))), encoding="utf-8")
    assert load_classifier(tmp_path / "copy").classes == about["classes"]
    tensors = load_file(tmp_path / "copy" / WEIGHTS)  # an older one has no digest of what is said
    save_file(tensors, tmp_path / "copy" / WEIGHTS)
    data = (tmp_path / "copy" / WEIGHTS).read_bytes()
    file.write_text(json.dumps({**about, "weights_sha256": sha256(data).hexdigest()}))
    assert load_classifier(tmp_path / "copy").classes == about["classes"]


def some(root: Path, kind: str) -> str:
    """Pictures that cannot be adapted to."""
    if kind == "empty":
        root.mkdir()
    elif kind == "one class":
        folder(root, classes=1)
    elif kind == "an empty class":
        folder(root)
        (root / "none").mkdir()
    elif kind == "empty zip":
        zipfile.ZipFile(root, "w").close()
    elif kind == "no picture":
        folder(root)
        (root / "kind 0" / "x.png").write_bytes(b"x")
    return f"pictures={root}"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("gone", "does not exist; point it to the images"),
        ("empty", "no class in it; make one folder a class"),
        ("empty zip", "no class in it; make one folder a class"),
        ("one class", "has one class alone (kind 0). Make a folder a class, two or more"),
        ("an empty class", "class 'none'"),
        ("no picture", "x.png cannot be read as an image"),
    ],
)
def test_pictures_that_teach_nothing_are_refused(tmp_path, capsys, kind, text) -> None:
    made, words = tmp_path / "made", some(tmp_path / "p", kind)
    status, _, error = told(capsys, adapt.main, words, "init=omniglot", f"classifier={made}")
    assert (status, error.count("\n")) == (2, 1)
    assert text in error
    assert "dataset." not in error
    assert not made.exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["init=omniglott"],
            "there is no such initialization, run or checkpoint. Did you mean omn",
        ),
        (["init=/nowhere/last.ckpt"], "init=/nowhere/last.ckpt: there is no such"),
        (["steps=-1"], "steps=-1: must be a whole number of at least 0"),
        (
            ["head=best"],
            "head=best: must be one of trained, mean, zeros, prototypes, logistic, steps",
        ),
        (
            ["head=logistic"],
            "head=logistic: of init=omniglot it must be one of trained, zeros, mean, prototypes",
        ),
        (["init=OMNIGLOT"], "Did you mean omniglot?"),
        (["init="], "init=: must be a text. For example init=omniglot"),
        (["backbone.weights=x"], "backbone.weights=x: init=omniglot has weights of its own"),
        (["stepps=3"], "stepps=3: fewstep adapt takes key=value, and knows pictures"),
        (["seed=1", "seed=2"], "seed=2: seed is given twice"),
        (["max_megapixels=0"], "max_megapixels=0: must be a number above 0"),
    ],
)
def test_wrong_words_are_refused(tmp_path, capsys, words, text) -> None:
    made = tmp_path / "made"
    given = [f"pictures={folder(tmp_path / 'p')}", f"classifier={made}", *words]
    given += ["init=omniglot"] * ("init=" not in words[0])
    status, _, error = told(capsys, adapt.main, *given)
    assert (status, error.count("\n")) == (2, 1)
    assert text in error
    assert not made.exists()


def test_files_have_any_name_and_keys_are_no_files(adapted, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    base, file = f"classifier={adapted / 'made'}", next((adapted / "others").rglob("*.png"))
    for name in ("a,b.png", "outs=1.png"):
        shutil.copy(file, name)
    status, said, _ = told(capsys, predict.main, base, "pictures=a,b.png", "outs=1.png")
    assert (status, said) == (0, "predictions.csv: 2 of 2 pictures predicted\n")
    status, _, error = told(capsys, predict.main, base, "pictures=a,b.png", "outt=2.csv")
    assert status == 2
    assert error.endswith("Did you mean out?\n")
    os.mkfifo("pipe")
    error = told(capsys, predict.main, base, "pictures=a,b.png", "out=pipe")[2]
    assert error == "fewstep: out=pipe: is no plain file. Name one, as out=predictions.csv\n"


def test_nothing_is_overwritten(adapted, tmp_path, capsys) -> None:
    photos, made = f"pictures={adapted / 'photos'}", f"classifier={adapted / 'made'}"
    assert "is there already" in told(capsys, adapt.main, photos, made)[2]
    own = tmp_path / "own.csv"
    own.write_text("mine\n")
    error = told(capsys, predict.main, made, photos, f"out={own}")[2]
    assert "is another file, which is not overwritten" in error
    assert own.read_text() == "mine\n"
    to = tmp_path / "model.onnx"
    to.write_text("mine")
    assert "is there already" in told(capsys, export.main, made, f"to={to}")[2]
    assert "must end in .onnx or .pt2" in told(capsys, export.main, made, "to=model.h5")[2]


@pytest.mark.parametrize("command", [adapt, predict, export])
def test_help_has_every_key_and_an_example(command) -> None:
    text, keys = command.help_text(), command.KEYS
    assert all(f"  {key}=" in text for key in keys)
    assert "Examples\n  fewstep " in text
    first = next(iter(keys))
    assert f"{first} is missing" in _error(command)


def _error(command) -> str:
    from contextlib import redirect_stderr
    from io import StringIO

    with redirect_stderr(StringIO()) as error:
        assert command.main([]) == 2
    return error.getvalue()


def test_what_is_written_can_be_read_by_others(adapted) -> None:
    """The user's own mask decides, and not the library that writes tensors."""
    modes = {p.stat().st_mode & 0o777 for p in (adapted / "made").iterdir()}
    (adapted / "plain").touch()
    assert modes == {(adapted / "plain").stat().st_mode & 0o777}


OWN_NETWORK = """
from torch import nn


class Tiny(nn.Module):
    def __init__(self, ways=5, size=28):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(size * size, ways))

    def forward(self, x):
        return self.net(x)
"""
OWN_MODEL = "_target_: tiny_of_mine.Tiny\nways: ${shots.ways}\nsize: ${dataset.size}\n"


def test_a_network_of_ones_own_is_used_by_those_who_have_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """In the folder in which it was trained, with the words that the refusal gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "tiny.yaml").write_text(OWN_MODEL)
    (tmp_path / "tiny_of_mine.py").write_text(OWN_NETWORK)
    words = ["model=tiny", "max_meta_iterations=1", "eval.tasks=2", "eval.curve_tasks=0"]
    words += ["eval.val_every=null", "eval.steps=1", "execution=serial", "trainer=cpu"]
    with monkeypatch.context() as there:
        there.syspath_prepend(tmp_path)
        run = str(fewstep.train(words).folder)
        del sys.modules["tiny_of_mine"]
    folder(tmp_path / "photos", each=2)
    asked = ["pictures=photos", f"init={run}", "classifier=made", "evaluate=false"]
    status, _, err = told(capsys, adapt.main, *asked)
    assert status == 2
    again = shlex.split(err.partition("add trust=[tiny_of_mine]: ")[2])
    assert again == ["fewstep", "adapt", *asked, "trust=[tiny_of_mine]"]
    assert told(capsys, adapt.main, *again[2:])[0] == 0
    for trust in ("trust=[tiny_of_mine]", "trust=timm,tiny_of_mine"):
        assert told(capsys, predict.main, "classifier=made", "pictures=photos", trust)[0] == 0
    status, _, err = told(capsys, predict.main, "classifier=made", "pictures=photos", "trust=a-b")
    assert (status, err) == (
        2,
        "fewstep: trust=['a-b']: must be a list of modules. For example trust=[my_models,timm]\n",
    )


def test_pictures_that_are_divided_into_training_and_test_are_not_learned_together(
    tmp_path: Path, capsys
) -> None:
    for part in ("train", "test"):
        folder(tmp_path / "photos" / part, each=2)
    words = (f"pictures={tmp_path / 'photos'}", "init=glyphs", f"classifier={tmp_path / 'made'}")
    status, _, err = told(capsys, adapt.main, *words, "evaluate=false")
    assert (status, err) == (
        2,
        f"fewstep: pictures={tmp_path}/photos: has its classes in train and in test, and a "
        "classifier would be tested on what it has seen. Give one of these, as "
        f"pictures={tmp_path}/photos/train\n",
    )
    part = (f"pictures={tmp_path / 'photos' / 'train'}", *words[1:])
    assert told(capsys, adapt.main, *part, "evaluate=false")[0] == 0


def test_names_of_files_stay_as_they_are_in_what_is_said_of_them(tmp_path: Path, capsys) -> None:
    photos = folder(tmp_path / "dataset.v2", each=2)
    broken = photos / "kind 0" / "dataset.png"
    broken.write_text("none")
    words = (f"pictures={photos}", "init=glyphs", f"classifier={tmp_path / 'made'}")
    status, _, err = told(capsys, adapt.main, *words)
    assert (status, str(broken) in err) == (2, True)
    assert own_words("dataset.root='a/dataset.v2': lower dataset.size, or dataset.white=1") == (
        "pictures='a/dataset.v2': lower size, or white=1"
    )


def test_what_nobody_has_tried_is_said(tmp_path: Path, capsys) -> None:
    photos = folder(tmp_path / "photos", each=2)
    words = (f"pictures={photos}", f"classifier={tmp_path / 'made'}", "evaluate=false")
    status, out, _ = told(capsys, adapt.main, *words)
    assert status == 0
    assert "that could be tried: with evaluate=false none is held against the others" in out


def test_a_classifier_is_not_written_over_somebody_elses_files(adapted: Path, tmp_path) -> None:
    made = fewstep.load_classifier(adapted / "made")
    for name, content in ((ABOUT, "{}"), (ABOUT, "no JSON"), (WEIGHTS, "")):
        other = tmp_path / f"{name}{len(content)}"
        other.mkdir()
        (other / name).write_text(content)
        with pytest.raises(ValueError, match=rf"^folder=.*: its {name} is of something else"):
            made.save(other)
        assert [path.read_text() for path in other.iterdir()] == [content]
    photos = adapted / "photos" / "kind 0"
    before = sorted(photos.iterdir())
    with pytest.raises(ValueError, match="is of something else") as error:
        made.save(photos)
    assert str(error.value) == (
        f"folder={photos}: its {before[0].name} is of something else, and a classifier has a "
        "folder of its own. Name one that is not there"
    )
    assert sorted(photos.iterdir()) == before


def test_a_classifier_makes_room_for_another_as_a_whole(adapted: Path, tmp_path) -> None:
    """With the sheet of its pictures, and what a save that was killed has left."""
    made, own = fewstep.load_classifier(adapted / "made"), tmp_path / "own"
    shutil.copytree(adapted / "made", own)
    for name in (SHEET, f"{SHEET}.part", ".DS_Store"):
        (own / name).touch()
    made.classes = ["x", "y", "z"]
    assert made.save(own) == own
    assert sorted(p.name for p in own.iterdir()) == [
        ".DS_Store",
        ABOUT,
        f"{SHEET}.part",
        WEIGHTS,
    ]
    assert fewstep.load_classifier(own).classes == ["x", "y", "z"]


# --- what happens while pictures are left out, which takes minutes


Then = Callable[[Path], None]


def adapted_while(
    then: Then, root: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, Path]:
    """The status of an adapt during which something happens to the folder that it is to fill."""
    photos, made = folder(root / "photos", each=2), root / "new" / "made"
    fit = fitting.fitted

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(fitting, "fitted", fit)
        then(made)
        return fit(*given)

    monkeypatch.setattr(fitting, "fitted", meanwhile)
    given = [f"pictures={photos}", "init=omniglot", f"classifier={made}", "steps=0", *words]
    return adapt.main(given), made


def without_bar(capsys) -> tuple[str, str]:
    """What was told, and not how far the leaving out was."""
    out, err = capsys.readouterr()
    return out, err.rpartition("\r")[2]


def test_of_two_at_once_into_one_folder_the_second_is_refused_at_once(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    def second(made: Path) -> None:
        photos = f"pictures={tmp_path / 'photos'}"
        assert adapt.main([photos, "init=glyphs", f"classifier={made}", "steps=0"]) == 2
        assert capsys.readouterr() == (
            "",
            f"fewstep: classifier={made}: another process is at work in it (pid {os.getpid()} on "
            f"{os.uname().nodename}). Wait for it or stop it, or give what is to run beside it a "
            "name of its own, as classifier=...\n",
        )

    status, made = adapted_while(second, tmp_path, monkeypatch)
    assert status == 0
    assert sorted(p.name for p in made.iterdir()) == [ABOUT, SHEET, WEIGHTS]
    assert fewstep.load_classifier(made).origin.name == "omniglot"


def test_what_has_come_into_the_folder_meanwhile_is_not_overwritten(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    status, made = adapted_while(lambda made: (made / ABOUT).write_text("x"), tmp_path, monkeypatch)
    out, err = without_bar(capsys)
    assert (status, err) == (
        2,
        f"fewstep: classifier={made}: is there already, and nothing of yours is overwritten. Name "
        "a folder that is not there, or remove it\n",
    )
    assert "expected accuracy: " in out
    assert [(p.name, p.read_text()) for p in made.iterdir()] == [(ABOUT, "x")]


def test_what_a_killed_process_has_left_of_a_lock_is_no_classifier(tmp_path: Path) -> None:
    (made := tmp_path / "made").mkdir()
    (made / ".lock").write_text("pid 1")
    words = [f"pictures={folder(tmp_path / 'photos', each=1)}", "init=omniglot", "steps=0"]
    assert adapt.main([*words, f"classifier={made}"]) == 0
    assert ".lock" not in [p.name for p in made.iterdir()]


@pytest.mark.parametrize("classifier", ["new", "there"])
def test_a_full_disk_leaves_no_half_of_a_classifier(
    tmp_path: Path, capsys, monkeypatch, classifier
) -> None:
    """There is room for the weights, and none for the rest; what was found out is told."""
    if classifier == "there":
        (tmp_path / "new" / "made").mkdir(parents=True)
    write, inside = Path.write_text, sorted([*tmp_path.rglob("*")])

    def full(path: Path, *given: Any, **more: Any) -> int:
        if path.name == ABOUT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *given, **more)

    monkeypatch.setattr(Path, "write_text", full)
    status, made = adapted_while(lambda _: None, tmp_path, monkeypatch)
    out, err = without_bar(capsys)
    assert (status, err) == (
        1,
        f"fewstep: {made}: cannot be written (No space left on device). Make room there, or see to "
        "its permissions\n",
    )
    assert "expected accuracy: " in out
    assert [p for p in sorted(tmp_path.rglob("*")) if "photos" not in p.parts] == inside


@pytest.mark.parametrize("gone", [False, True], ids=["a full disk", "a picture is gone"])
def test_a_classifier_is_whole_without_its_sheet(tmp_path: Path, capsys, monkeypatch, gone) -> None:
    replace, first = os.replace, tmp_path / "photos" / "kind 0" / "000.png"

    def full(old: Path, new: Path) -> None:
        if new.name == WEIGHTS and gone:
            first.unlink()
        if new.name == SHEET:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(old, new)

    monkeypatch.setattr(os, "replace", full)
    status, made = adapted_while(lambda _: None, tmp_path, monkeypatch)
    out, err = without_bar(capsys)
    reason = (
        f"{first} cannot be read (No such file or directory); see to its permissions and its disk"
        if gone
        else f"{made}/{SHEET}: cannot be written (No space left on device). Make room there, or "
        "see to its permissions"
    )
    assert (status, err) == (
        1,
        f"fewstep: {made}: is saved, and whole but for {SHEET}: {reason}\n",
    )
    assert out.splitlines()[2].startswith("expected accuracy: ")
    assert out.splitlines()[-1] == f"{made}: {ABOUT}, {WEIGHTS}"
    assert sorted(p.name for p in made.iterdir()) == [ABOUT, WEIGHTS]
    assert fewstep.load_classifier(made).expected


def test_a_class_is_called_the_same_by_every_command(tmp_path: Path, capsys) -> None:
    """Also where its name has what would not be seen, and would forge a line of what is said."""
    photos, made = folder(tmp_path / "photos", each=1, classes=2), tmp_path / "made"
    (photos / "kind 0").rename(photos / "a\nseconds")
    (photos / "kind 1").rename(photos / "b\x1b[2J")
    words = (f"pictures={photos}", "init=omniglot", f"classifier={made}", "steps=0")
    assert told(capsys, adapt.main, *words)[1].splitlines()[0] == (
        r"2 classes of 1 picture: a\nseconds, b\x1b[2J"
    )
    out = tmp_path / "found.csv"
    told(capsys, predict.main, f"classifier={made}", f"pictures={photos}", f"out={out}")
    assert {row[1] for row in rows(out)[1:]} <= {r"a\nseconds", r"b\x1b[2J"}
    single = Expected(1, 2, ("c", "d", None), 1.0, ("a\nb",))
    assert single.basis.endswith(r"; of a\nb there is one picture, which tells nothing")
