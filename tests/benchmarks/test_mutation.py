"""The mutation check: what it changes, how it draws, and the verdict on what it found."""

from __future__ import annotations

import json

import pytest

from mutation import chosen
from mutation.operators import mutants
from mutation.verdict import LEAST, RESULTS, reasons, told


SOURCE = '''"""1 + 1 in a docstring, é."""
class Some:
    limit: int | None = 3

    @cached(2)
    def f(self, a: int | float, b=False) -> int | None:
        for x in range(a):
            if a < x and not b:
                raise ValueError(f"{a + 1}" + "more than 3")
        return a // 2 if b else -a
'''


def test_what_an_operator_changes() -> None:
    found = [(m.where, m.operator, m.before, m.after) for m in mutants("some", SOURCE)]
    assert sorted(found) == sorted(
        [
            ("Some", "number", "3", "(4)"),
            ("Some", "number", "3", "(2)"),
            ("Some.f", "boolean", "False", "(True)"),
            ("Some.f", "no iteration", "range(a)", "([])"),
            ("Some.f", "and or", "a < x and not b", "(a < x or not b)"),
            ("Some.f", "condition", "a < x and not b", "(not (a < x and (not b)))"),
            ("Some.f", "comparison", "a < x", "(a <= x)"),
            ("Some.f", "unary operator", "not b", "(b)"),
            ("Some.f", "binary operator", "a // 2", "(a * 2)"),
            ("Some.f", "number", "2", "(3)"),
            ("Some.f", "number", "2", "(1)"),
            ("Some.f", "condition", "b", "(not b)"),
            ("Some.f", "unary operator", "-a", "(a)"),
        ]
    )


def test_a_mutant_is_one_change_of_the_text() -> None:
    for mutant in mutants("some", SOURCE):
        changed = mutant.applied(SOURCE.encode()).decode()
        compile(changed, "some", "exec")
        assert len(changed) - len(SOURCE) == len(mutant.after) - len(mutant.before)
        assert changed != SOURCE
        assert changed.count(mutant.after) == SOURCE.count(mutant.after) + 1


def test_two_changes_that_read_the_same_have_two_keys() -> None:
    keys = [m.key for m in mutants("some", "def f(a):\n    return a[1] + a[1]\n")]
    assert len(set(keys)) == len(keys) == 5


@pytest.mark.parametrize("part", chosen.PARTS)
def test_a_draw_hangs_on_its_seed_alone(part: str) -> None:
    once = chosen.drawn(part, chosen.SEED, chosen.EACH)
    assert once == chosen.drawn(part, chosen.SEED, chosen.EACH)
    assert once != chosen.drawn(part, chosen.SEED + 1, chosen.EACH)
    assert len({m.key for m in once}) == chosen.EACH


def test_enough_is_drawn_and_its_tests_are_there() -> None:
    assert len(chosen.PARTS) * chosen.EACH >= LEAST
    for part in chosen.PARTS.values():
        for name in part.tests:
            assert (chosen.ROOT / chosen.file_of(name)).exists()


def test_what_was_named_is_still_in_the_text() -> None:
    assert len(chosen.named()) == len(chosen.NAMED)


def record(**killed: str | None) -> dict:
    """The least that is drawn, all killed but for what is said."""
    every = {f"m{i}": "tests/test_a.py::test_b" for i in range(LEAST)} | killed
    rows = [{"key": key, "line": 1, "killed_by": by} for key, by in every.items()]
    return {"seed": 1, "mutants": {"rules": rows, "named": [rows[0]]}}


@pytest.mark.parametrize(
    ("killed", "excuses", "good", "line"),
    [
        ({}, {}, True, None),
        ({"m3": None}, {}, False, "survived: line 1: m3"),
        ({"m3": None}, {"m3": "no test can see it"}, True, "equivalent: m3: no test can see it"),
        ({}, {"m3": "no test can see it"}, False, "excused and yet killed: m3"),
        ({"m0": None}, {"m0": "named ones are never excused"}, False, "survived: line 1: m0"),
    ],
)
def test_verdicts(killed: dict, excuses: dict, good: bool, line: str | None) -> None:
    lines, verdict = told(record(**killed), excuses)
    assert verdict is good
    assert line is None or line in lines


def test_too_few_are_no_verdict() -> None:
    few = record()
    few["mutants"]["rules"].pop()
    assert told(few, {})[1] is False
    assert told({**record(), "mutants": {"rules": record()["mutants"]["rules"]}}, {})[1] is False


def test_the_record_is_good() -> None:
    """Computed from the mutants in it, not from what it says of itself."""
    found = json.loads(RESULTS.read_text())
    lines, good = told(found, reasons())
    assert good, "\n".join(lines)
    keys = {m["key"] for part in found["mutants"].values() for m in part}
    assert set(reasons()) <= keys
