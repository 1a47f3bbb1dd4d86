"""The service that the articles behind this project describe, written anew from their words.

Flask behind gunicorn with four sync workers, as they say to run it. What matters here is its shape,
which is kept as it is described: `/token` mints a key; `/connect` takes a form field `sdp`, mints a
key and then posts the offer, each with a connection of its own; the identity's token is kept in a
global until shortly before its end. Its observer is in `bench.harness.observer_process`.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import requests
from azure.identity import DefaultAzureCredential
from flask import Flask, Response, jsonify, request

BASE = os.environ.get("REALTIME_ENDPOINT", "") + "/openai/v1/realtime"
SCOPE = "https://cognitiveservices.azure.com/.default"
SESSION: dict[str, Any] = {
    "session": {
        "type": "realtime",
        "model": os.environ.get("REALTIME_MODEL", "gpt-realtime"),
        "instructions": "You are a helpful assistant.",
        "audio": {"output": {"voice": "marin"}},
    }
}
EARLY = 300
TIMEOUT = 30

app = Flask(__name__)
kept: dict[str, Any] = {"token": "", "until": 0.0}
lock = threading.Lock()


def bearer() -> str:
    with lock:
        if time.time() < kept["until"]:
            return str(kept["token"])
    token = DefaultAzureCredential().get_token(SCOPE)
    with lock:
        kept["token"], kept["until"] = token.token, token.expires_on - EARLY
    return token.token


def mint() -> str:
    answer = requests.post(
        f"{BASE}/client_secrets",
        headers={"Authorization": f"Bearer {bearer()}", "Content-Type": "application/json"},
        json=SESSION,
        timeout=TIMEOUT,
    )
    answer.raise_for_status()
    return str(answer.json()["value"])


@app.get("/token")
def token() -> Response:
    return jsonify({"token": mint(), "endpoint": BASE, "deployment": "gpt-realtime"})


@app.post("/connect")
def connect() -> tuple[str, int, dict[str, str]]:
    answer = requests.post(
        f"{BASE}/calls",
        headers={"Authorization": f"Bearer {mint()}", "Content-Type": "application/sdp"},
        data=request.form["sdp"],
        timeout=TIMEOUT,
    )
    answer.raise_for_status()
    return answer.text, 201, {"Content-Type": "application/sdp"}
