"""Imports the app to be served."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class IndexingError(Exception):
    """The app cannot be loaded or indexed. `reasons` has one sentence for each mistake."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


def load_app(folder: Path) -> ModuleType:
    """Imports `folder`'s function_app.py afresh. Raises IndexingError with the traceback."""
    script = folder / "function_app.py"
    if not script.is_file():
        raise IndexingError([f"{folder} has no function_app.py."])
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
