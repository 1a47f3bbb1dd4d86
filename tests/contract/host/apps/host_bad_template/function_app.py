from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a/{id:number}")
def template(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()
