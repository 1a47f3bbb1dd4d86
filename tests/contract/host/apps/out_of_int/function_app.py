from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
def out_int(req: func.HttpRequest, out: func.Out[int]) -> func.HttpResponse:
    return func.HttpResponse()
