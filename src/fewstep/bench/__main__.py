"""`python -m fewstep.bench`."""

import sys

from fewstep import console
from fewstep.bench import main


sys.exit(console.run(main))
