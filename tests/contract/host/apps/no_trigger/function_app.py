from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
def untriggered(out: func.Out[str]) -> None:
    return None
