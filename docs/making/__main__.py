"""python -m making            # the parts that the pages include, into build/docs
python -m making tables     # every table of results in the README and the pages, from its file
python -m making figures    # the figures of the pages that follow from those files
"""

from __future__ import annotations

import sys

from making.figures import redraw
from making.parts import pages, refreshed, write


if sys.argv[1:] == ["tables"]:
    for page in pages():
        page.write_text(refreshed(page.read_text()))
elif sys.argv[1:] == ["figures"]:
    redraw()
else:
    write()
