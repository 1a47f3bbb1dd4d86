"""The broker as an app of its own (Azure Functions, Python v2 model).

Its functions are a Blueprint, so that they can be added to another app too: shared/api/blueprint.py
has the routes, the queue triggers and the timer.
"""

from __future__ import annotations

import azure.functions as func

from shared.api.blueprint import open_blueprint
from shared.api.warm_up import WarmedApp
from shared.core import garbage, logs

logs.set_up()
garbage.collect_rarely()
app = WarmedApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(open_blueprint())
