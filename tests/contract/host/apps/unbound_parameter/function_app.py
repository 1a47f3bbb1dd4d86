from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def unbound(req: func.HttpRequest, more: str) -> func.HttpResponse:
    return func.HttpResponse(more)
