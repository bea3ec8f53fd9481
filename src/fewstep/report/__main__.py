"""`python -m fewstep.report` does what `fewstep report` does."""

import sys

from fewstep import console
from fewstep.report.command import main


sys.exit(console.run(main))
