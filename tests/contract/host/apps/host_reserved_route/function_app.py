from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="admin/x")
def reserved(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()
