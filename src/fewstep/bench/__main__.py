"""`python -m fewstep.bench`."""

import sys

from fewstep.bench import main


sys.exit(main())
