from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def typed(req: func.QueueMessage) -> func.HttpResponse:
    return func.HttpResponse()
