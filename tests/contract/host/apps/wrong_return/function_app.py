from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def dictionary(req: func.HttpRequest) -> dict:  # type: ignore[type-arg]  # on purpose
    return {}
