"""python -m making            # the parts that the pages include, into build/docs
python -m making tables     # every table of results in the README and the pages, from its file
"""

from __future__ import annotations

import sys

from making.parts import pages, refreshed, write


if sys.argv[1:] == ["tables"]:
    for page in pages():
        page.write_text(refreshed(page.read_text()))
else:
    write()
