import azure.functions as func

app = func.FunctionApp()


@app.route(route="a")
def dictionary(req: func.HttpRequest) -> dict:
    return {}
