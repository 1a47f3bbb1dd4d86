from __future__ import annotations

import a_module_that_is_not_there  # noqa: F401
