from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
def bare(req: func.HttpRequest, out: func.Out) -> func.HttpResponse:  # type: ignore[type-arg]  # on purpose
    return func.HttpResponse()
