from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
def typed(message: dict) -> None:  # type: ignore[type-arg]  # on purpose
    return None
