"""A function for each feature of the host, with annotations that are evaluated, as in most apps."""

import asyncio
import json
import threading
from typing import List  # noqa: UP035 - the worker rejects list[str]

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
parts = func.Blueprint()  # type: ignore[no-untyped-call]  # untyped there


def as_json(value: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


@app.route()
def named(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("by its name")


@app.route(route="echo", methods=["GET", "POST", "PUT"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    form = dict(req.form.items())
    files = {}
    for name, file in req.files.items():
        files[name] = [file.filename, file.read().decode("latin-1")]
        file.close()
    return as_json(
        {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "body": req.get_body().decode("latin-1"),
            "form": form,
            "files": files,
            "thread": threading.current_thread().name,
        }
    )


@app.route(route="bytes", methods=["POST"])
async def raw(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(
        req.get_body(), status_code=201, mimetype="application/sdp", headers={"Location": "/x"}
    )


@app.route(route="text")
def text(req: func.HttpRequest) -> str:
    return "only a str"


@app.route(route="latin")
def latin(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("é", charset="iso-8859-1")


@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(status_code=204)
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Strict")
    response.headers.add("Set-Cookie", "b=2; Max-Age=60; Secure")
    return response


@app.route(route="users/{id:int}")
def by_number(req: func.HttpRequest) -> func.HttpResponse:
    return as_json(["number", dict(req.route_params)])


@app.route(route="users/{name:alpha:length(2,8)}", methods=["GET"])
def by_name(req: func.HttpRequest) -> func.HttpResponse:
    return as_json(["name", dict(req.route_params)])


@app.route(route="users/me", methods=["GET"])
def me(req: func.HttpRequest) -> func.HttpResponse:
    return as_json(["me", dict(req.route_params)])


@app.route(route="files/{*rest}")
def files(req: func.HttpRequest) -> func.HttpResponse:
    return as_json(dict(req.route_params))


@app.route(route="pages/{page?}", methods=["GET"])
async def page(req: func.HttpRequest) -> func.HttpResponse:
    return as_json(dict(req.route_params))


@app.route(route="fail")
def fail(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("a detail that nobody may see")


@app.route(route="wrong")
def wrong(req: func.HttpRequest):  # type: ignore[no-untyped-def]  # on purpose
    return {"a": "dict"}


@app.route(route="slow")
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.Event().wait()
    return func.HttpResponse()


@parts.route(route="context")
def context(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return as_json([context.invocation_id, context.function_name])


@parts.route(route="send", methods=["POST"])
@parts.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
def send(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)


@parts.route(route="send-many", methods=["POST"])
@parts.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
def send_many(req: func.HttpRequest, out: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    out.set(req.get_json())
    return func.HttpResponse(status_code=202)


@parts.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
@parts.queue_output(arg_name="out", queue_name="done", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage, out: func.Out[str], context: func.Context) -> None:
    body = message.get_body().decode()
    if body.startswith("fail"):
        raise RuntimeError("this message cannot be done")
    if body.startswith("hold"):
        await asyncio.Event().wait()
    if body.startswith("once") and message.dequeue_count == 1:
        raise RuntimeError("at the second try")
    out.set(json.dumps([body, message.dequeue_count, context.function_name]))


@parts.queue_trigger(arg_name="text", queue_name="plain", connection="AzureWebJobsStorage")
@parts.queue_output(arg_name="$return", queue_name="done", connection="AzureWebJobsStorage")
def plain(text: str) -> str:
    return f"{threading.current_thread().name.split('_')[0]} {text}"


app.register_functions(parts)
