"""Makes the hooks importable: azd runs them as programs from their own folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "infra" / "hooks"))
