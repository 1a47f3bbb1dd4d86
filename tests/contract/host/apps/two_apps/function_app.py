from __future__ import annotations

import azure.functions as func

first = func.FunctionApp()
second = func.FunctionApp()


@first.route(route="a")
def one(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()
