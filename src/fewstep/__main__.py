"""`python -m fewstep` does what the command `fewstep` does."""

import sys

from fewstep.cli import main


sys.exit(main())
