"""What the figures of a report are and what their intervals speak of, each thing said once."""

from __future__ import annotations

from collections.abc import Sequence

from fewstep.records import measures, words
from fewstep.records.statistics.intervals import FEW
from fewstep.report.tables.best import best
from fewstep.report.tables.table import Row


OVER = (
    "± is the half-width of the 95 % interval over tasks; (seeds ± …) that of the mean over seeds, "
    "by Student's t."
)
FEW_TASKS = (
    f"Of fewer than {FEW} tasks it is by Student's t too, and wider than by the field's formula, "
    "as results.json has it."
)
BANDS = "Each picture says what its bands and bars are."
PERCENT = "Accuracies are in percent."
BEST = (
    "In bold: the best of a setting, and what is not told apart from it, by the interval over "
    "seeds and tasks of their differences and Holm's correction for all that are compared so."
)

CLOSED = (
    "Intervals are closed: test tasks are drawn with replacement from a finite set of classes, so "
    "that they speak of further tasks of these classes. What holds of other classes is less sure "
    "than they say (arXiv 2409.02850): compare on several datasets before you conclude that."
)
OPEN = "Intervals are open: test tasks are drawn anew each, so that they speak of all such tasks."
FINITE = (
    "The test tasks are all that there are: intervals speak of others only as far as these few are "
    "a fair sample of them."
)
KINDS = {"closed": CLOSED, "open": OPEN, "finite": FINITE}
"""By what a dataset says of its test tasks."""

OLDER = dict.fromkeys(
    ("glyphs", "omniglot", "miniimagenet", "cifar_fs", "image_folder", "conversations"), "closed"
)
OLDER |= dict.fromkeys(
    ("sine", "linear", "streams", "recall", "modulation", "ground", "subjects"), "open"
)
OLDER |= {"subject_files": "closed", "clients": "finite"}
"""What results of our datasets mean that do not say it yet."""


def note(table: Sequence[Row]) -> list[str]:
    """What the figures of all tables are, and what their intervals speak of."""
    metrics = {measures.metric_of(e[0]) for row in table for e in row.cells.values()}
    few = [FEW_TASKS] if any(row["tasks"] < FEW for row in table) else []
    sentences = [" ".join([OVER, *few, BANDS, *([PERCENT] if "acc" in metrics else [])])]
    sentences += [BEST] if best(table) else []
    whose: dict[str, list[Row]] = {}
    for row in table:
        whose.setdefault(kind(row), []).append(row)
    for name, text in KINDS.items():
        if rows := whose.get(name):
            names = dict.fromkeys(words.dataset(row["dataset"]) for row in rows)
            told = words.of_split(text, *(row["split"] for row in rows))
            sentences.append(told if len(whose) == 1 else f"Of {', '.join(names)}: {told}")
    return sentences


def kind(row: Row) -> str:
    """Of which kind the interval over a row's tasks is: as its data say; of older results as their
    name says, or else their metric."""
    said = row.runs[0].content.get("interval")
    if said in KINDS:
        return said
    counted = any("acc" in entries[0] for entries in row.cells.values())
    return OLDER.get(row["dataset"], "closed" if counted else "open")
