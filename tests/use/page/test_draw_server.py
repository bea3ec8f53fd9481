"""What the page's server answers and what it refuses, without a browser."""

from __future__ import annotations

import base64
import errno
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.use.page.nearest import Nearest

from fewstep.use.page import asked, fits
from fewstep.use.page.application import application
from fewstep.use.page.drawings import picture


ANGLES = [0.2 * i for i in range(33)]
CIRCLE = [[[0.5 + 0.3 * math.cos(a), 0.5 + 0.3 * math.sin(a)] for a in ANGLES]]
CROSS = [[[0.2, 0.2], [0.8, 0.8]], [[0.8, 0.2], [0.2, 0.8]]]
TWO = [{"name": "circle", "drawings": [CIRCLE]}, {"name": "cross", "drawings": [CROSS]}]
HERE = "http://127.0.0.1:8000"


def client(init: object = None, keep: Path | None = None, base: str = HERE) -> TestClient:
    return TestClient(application(init or Nearest(), "mine", keep), base_url=base)


def said(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_the_page_and_all_that_it_names_is_there():
    page = client().get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    modules = [path.name for path in Path(fits.__file__).parent.glob("site/*.js")]
    assert len(modules) > 3
    for name in ("page.css", *modules):
        answer = client().get(f"/{name}")
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert client().get("/about").json()["init"] == "mine"


def test_two_classes_are_learned_and_a_third_drawing_recognized():
    talk = client()
    learned = talk.post("/adapt", json={"classes": TWO}).json()
    assert [len(pictures) for pictures in learned["seen"]] == [1, 1]
    assert learned["curve"] == [[0, 1.6], [1, 0.4], [2, None]]
    for place, drawing in enumerate((CIRCLE, CROSS)):
        asks = {"id": learned["id"], "drawing": [[[0.9 * x, y] for x, y in s] for s in drawing]}
        found = talk.post("/predict", json=asks).json()
        assert np.argmax(found["probabilities"]) == place
        assert sum(found["probabilities"]) == pytest.approx(1)
    seen = Image.open(io.BytesIO(base64.b64decode(learned["seen"][1][0].partition(",")[2])))
    assert np.array_equal(np.asarray(seen), picture(CROSS)[::4, ::4])


def test_a_tab_has_its_own_classifier_and_a_reload_finds_it_again():
    init = Nearest()
    talk = client(init)
    first = talk.post("/adapt", json={"classes": TWO}).json()["id"]
    other = talk.post("/adapt", json={"classes": TWO[::-1]}).json()["id"]
    assert talk.post("/adapt", json={"classes": TWO}).json()["id"] == first != other
    assert init.adaptations == 2
    assert talk.get(f"/examples/{first}").json()["classes"] == TWO
    again = client().post("/adapt", json={"classes": TWO}).json()["id"]
    assert again != first  # of another server: nobody can work it out


def test_the_oldest_classifier_goes(monkeypatch):
    monkeypatch.setattr(fits, "MOST", 2)
    talk = client()
    named = [[{**TWO[0], "name": name}, TWO[1]] for name in "abc"]
    ids = [talk.post("/adapt", json={"classes": classes}).json()["id"] for classes in named]
    asks = [talk.post("/predict", json={"id": id, "drawing": CROSS}).status_code for id in ids]
    assert asks == [404, 200, 200]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9000", "LOCALHOST", "[::1]:80"])
def test_this_machine_is_answered(host):
    assert client().get("/", headers={"host": host}).status_code == 200


FOREIGN = ["", "example.com", "127.0.0.1.example.com", "localhost.example.com:80", "0.0.0.0", "a@b"]


@pytest.mark.parametrize("host", [*FOREIGN, "192.168.0.7:8000", "localhost:80:80", "127.0.0.1:"])
@pytest.mark.parametrize("path", ["/", "/about", "/nothing"])
def test_a_foreign_host_is_refused(host, path):
    status, error = said(client().get(path, headers={"host": host}))
    assert status == 421
    assert error.startswith("the Host must be 127.0.0.1 or localhost")


@pytest.mark.parametrize("origin", ["http://example.com", "null", "http://127.0.0.1:9000", ""])
@pytest.mark.parametrize("path", ["/adapt", "/predict", "/keep"])
def test_another_pages_post_is_refused(origin, path, tmp_path):
    talk = client(keep=tmp_path)
    answer = talk.post(path, json={"classes": TWO}, headers={"origin": origin})
    assert said(answer) == (403, "only the page's own requests are answered")


def test_the_pages_own_post_is_answered():
    answer = client().post("/adapt", json={"classes": TWO}, headers={"origin": HERE})
    assert answer.status_code == 200


def test_a_form_of_another_page_is_no_question():
    answer = client().post("/adapt", data={"classes": "[]"})
    assert said(answer) == (415, "the content must be application/json")


@pytest.mark.parametrize("told", [True, False], ids=["told", "in pieces"])
@pytest.mark.parametrize("megabytes", [3, 10, 100])
def test_what_is_too_large_is_refused(told, megabytes):
    taken = []

    def pieces():
        for _ in range(megabytes):
            taken.append(1)
            yield b"[" * 10**6

    content = b"".join(pieces()) if told else pieces()
    headers = {"content-type": "application/json"}
    answer = client().post("/adapt", content=content, headers=headers)
    assert said(answer) == (413, "more than 2 MB: draw less, or fewer strokes")


MALFORMED = {
    "empty": b"",
    "cut off": b'{"classes": [',
    "no text": b"\xff\xfe",
    "deep": b"[" * 10**5,
    "NaN": b'{"id": "x", "drawing": [[[NaN, 0]]]}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("path", ["/adapt", "/predict"])
def test_what_is_no_json_is_refused(body, path):
    answer = client().post(path, content=body, headers={"content-type": "application/json"})
    assert said(answer) == (400, "this is no JSON")


def classes(count: int = 2, drawings: object = (CROSS,), **values: object) -> dict:
    return {"classes": [{"name": f"c{i}", "drawings": drawings, **values} for i in range(count)]}


LIMITS = {
    "no classes": ({}, "classes: must be a list"),
    "one class": (classes(1), "classes: 2 to 10, not 1"),
    "eleven": (classes(11), "classes: 2 to 10, not 11"),
    "no object": ({"classes": [1, 2]}, "classes: each must be an object with a name and drawings"),
    "no drawing": (classes(2, []), "drawings of c0: 1 to 5, not 0"),
    "six drawings": (classes(2, [CROSS] * 6), "drawings of c0: 1 to 5, not 6"),
    "no stroke": (classes(2, [[]]), "strokes of a drawing: 1 to 1000, not 0"),
    "no point": (classes(2, [[[]]]), "points of a stroke: 1 to 1000, not 0"),
    "points": (classes(2, [[[[0, 0]] * 501] * 2]), "a drawing has 1002 points: 1000 at most"),
    "outside": (classes(2, [[[[0, 1.1]]]]), "a point must be [x, y], both from 0 to 1"),
    "huge": (classes(2, [[[[0, 10**400]]]]), "a point must be [x, y], both from 0 to 1"),
    "three": (classes(2, [[[[0, 0, 0]]]]), "a point must be [x, y], both from 0 to 1"),
    "true": (classes(2, [[[[True, 0]]]]), "a point must be [x, y], both from 0 to 1"),
    "texts": (classes(2, [[["ab"]]]), "a point must be [x, y], both from 0 to 1"),
    "no name": (classes(2, name=""), "the name of a class must have 1 to 24 characters"),
    "long name": (classes(2, name="x" * 25), "the name of a class must have 1 to 24 characters"),
    "elsewhere": (
        classes(2, name="../x"),
        "../x: is no name for a class, as no folder can have it",
    ),
    "twice": (classes(2, name="x"), "two classes have the same name: give one of them another"),
}


@pytest.mark.parametrize(("asks", "error"), LIMITS.values(), ids=LIMITS)
def test_what_is_beyond_a_limit_is_refused(asks, error):
    init = Nearest()
    answer = client(init).post("/adapt", content=json.dumps(asks), headers=JSON)
    assert said(answer) == (422, error)
    assert init.adaptations == 0


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("id", ["", "x", None, 3, ["x"], {}])
def test_an_unknown_classifier_is_said(id):
    answer = client().post("/predict", json={"id": id, "drawing": CROSS})
    assert said(answer) == (404, "this classifier is no longer here: adapt again")


def test_a_page_at_its_limits_is_taken():
    drawing = [[[0.1234, 0.5678]] * 500, [[0.9876, 0.4321]] * 500]
    asks = classes(asked.MOST_CLASSES, [drawing] * asked.MOST_DRAWINGS)
    assert len(json.dumps(asks)) < asked.MOST_BYTES
    assert client().post("/adapt", json=asks).status_code == 200


def test_nothing_is_written_unless_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "mkdir", lambda *_: pytest.fail("a folder was made"))
    talk = client()
    id = talk.post("/adapt", json={"classes": TWO}).json()["id"]
    assert talk.post("/predict", json={"id": id, "drawing": CROSS}).status_code == 200
    assert talk.post("/keep", json={"id": id}).status_code == 404
    assert talk.get("/about").json()["kept"] is None
    assert not [*tmp_path.iterdir()]


def test_drawings_are_kept_when_asked(tmp_path):
    folder = tmp_path / "kept"
    talk = client(keep=folder)
    id = talk.post("/adapt", json={"classes": TWO}).json()["id"]
    assert talk.get("/about").json()["kept"] == str(folder)
    assert not folder.exists()
    place = Path(talk.post("/keep", json={"id": id}).json()["where"])
    assert place.parent == folder
    files = {str(path.relative_to(place)) for path in place.rglob("*.png")}
    assert files == {"circle/1.png", "cross/1.png"}
    assert np.array_equal(np.asarray(Image.open(place / "cross" / "1.png")), picture(CROSS))
    strokes = json.loads(place.with_suffix(".json").read_text())
    assert strokes == {"circle": [CIRCLE], "cross": [CROSS]}


def test_drawings_that_are_kept_twice_in_a_second_are_two_folders(tmp_path):
    talk = client(keep=tmp_path)
    id = talk.post("/adapt", json={"classes": TWO}).json()["id"]
    places = {talk.post("/keep", json={"id": id}).json()["where"] for _ in range(3)}
    assert len(places) == 3
    assert sorted(map(str, tmp_path.glob("*.json"))) == sorted(f"{p}.json" for p in places)


def test_of_half_the_drawings_nothing_is_kept(tmp_path, monkeypatch):
    save_before = Image.Image.save

    def save(image, path, *more, **options):
        if isinstance(path, Path) and path.parent.name == "cross":
            raise OSError(errno.ENOSPC, "No space left on device")
        save_before(image, path, *more, **options)

    monkeypatch.setattr(Image.Image, "save", save)
    talk = client(keep=tmp_path / "kept")
    id = talk.post("/adapt", json={"classes": TWO}).json()["id"]
    _, error = said(talk.post("/keep", json={"id": id}))
    assert "cannot be written (No space left on device)" in error
    assert not [*(tmp_path / "kept").rglob("*")]


def test_drawings_that_cannot_be_kept_are_said(tmp_path):
    (tmp_path / "kept").write_text("a file")
    talk = client(keep=tmp_path / "kept")
    id = talk.post("/adapt", json={"classes": TWO}).json()["id"]
    status, error = said(talk.post("/keep", json={"id": id}))
    assert status == 422
    assert "cannot be written (Not a directory)" in error
