from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def contextual(req: func.HttpRequest, context: str) -> func.HttpResponse:
    return func.HttpResponse(context)
