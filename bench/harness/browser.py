"""Whether pages can be measured here."""

from __future__ import annotations

from bench.contenders.servers import Log


def why_no_browser(log: Log) -> str:
    """Why no page can be measured, which is logged; "" if one can."""
    try:
        from tests.support import chromium
    except ImportError as error:
        reason = f"{error} (python3 dev.py test installs it)"
    else:
        if chromium.executable() is not None:
            return ""
        reason = "no Chromium, Chrome or Edge on this machine"
    log(f"  skipped: {reason}")
    return reason
