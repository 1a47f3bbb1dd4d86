"""The app on the local host, with a thread pool of another size than it would choose.

python -m bench.harness.pooled_host THREADS
"""

from __future__ import annotations

import sys

from local.host.__main__ import main as run_host
from realtime_emulator.serving import server
from shared.api import bulkheads
from shared.core.bulkhead import Bulkhead

if __name__ == "__main__":
    bulkheads.STARTS = Bulkhead("starts", int(sys.argv[1]))
    options = ("--port", "0", "--exit-with-parent", "--without-local-settings", "--log", "warning")
    server.finish(run_host(options))
