"""Imports the app that is to be served."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class IndexingError(Exception):
    """The app cannot be served. `reasons` has one sentence for each mistake."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


def load_app(folder: Path) -> ModuleType:
    """Imports function_app.py of `folder`, anew. Raises IndexingError, with where it failed."""
    script = folder / "function_app.py"
    if not script.is_file():
        raise IndexingError([f"there is no function_app.py in {folder}."])
    sys.path.insert(0, str(folder))
    sys.modules.pop("function_app", None)
    importlib.invalidate_caches()
    try:
        return importlib.import_module("function_app")
    except Exception as error:
        where = "".join(traceback.format_exception(error)).rstrip()
        raise IndexingError([f"{script} cannot be imported: {error}\n{where}"]) from error
    finally:
        sys.path.remove(str(folder))
