from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def either(req: func.HttpRequest) -> func.HttpResponse | str:
    return ""
