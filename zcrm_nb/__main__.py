"""``python -m zcrm_nb`` is ``zcrm-nb``."""

import sys

from zcrm_nb.cli import main

sys.exit(main())
