from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
@app.function_name("twin")
def one(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()


@app.route(route="b")
@app.function_name("twin")
def two(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()
