from __future__ import annotations

import azure.functions as func

app = func.FunctionApp()


@app.blob_trigger(arg_name="blob", path="incoming/{name}", connection="AzureWebJobsStorage")
def arriving(blob: func.InputStream) -> None:
    return None
