#!/usr/bin/env python3
"""The entry point for developers; `python3 dev.py` lists the commands.

It needs only Python 3.11 or newer. The commands are in local/dev_commands.py, which an older Python
cannot parse. This file Python 2.7 can parse too: it says which Python is needed.
"""

import os
import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    sys.stderr.write(
        "dev.py: Python %d.%d or newer is required, and this is Python %d.%d. "
        "Try python3.11 dev.py, or a newer one.\n" % (OLDEST + tuple(sys.version_info[:2]))
    )
    sys.exit(1)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from local.dev_commands import LOCKED, run  # noqa: E402

__all__ = ["LOCKED", "run"]

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
