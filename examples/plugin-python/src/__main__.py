"""An APM plugin in Python: the platform "files behind a symlink", served by the wire contract."""

import sys

from files.config import DESCRIPTION
from files.platform import Platform
from wire.serve import main

sys.exit(main(Platform, DESCRIPTION))
