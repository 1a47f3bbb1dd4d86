"""Lets the tests import the hooks, which azd runs as programs from their own folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "infra" / "hooks"))
