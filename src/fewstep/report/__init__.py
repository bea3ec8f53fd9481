"""Many runs and sweeps in one table, one picture and one page.

Needs no torch, so that it starts at once and reads results where nothing can be trained.
"""

from fewstep.report.runs.gather import Run, read
from fewstep.report.tables.formats import markdown
from fewstep.report.tables.table import Row, rows


__all__ = ["Row", "Run", "markdown", "read", "rows"]
