from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def nothing(req: func.HttpRequest) -> None:
    return None
