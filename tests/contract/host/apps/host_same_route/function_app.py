from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a/{id}", methods=["GET", "POST"])
def one(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()


@app.route(route="A/{name}", methods=["GET"])
def two(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()
