"""The service that the articles behind this project describe, written anew from their description.

Flask behind gunicorn with four sync workers, as they say to run it. What matters here is its
structure, which is kept: `/token` mints a key; `/connect` takes a form field `sdp`, mints a key and
then posts the offer, each over a connection of its own; the identity's token is kept in a global
until shortly before it expires. Its observer is in `bench.harness.observer_process`.
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
RENEW_EARLY = 300  # seconds
TIMEOUT = 30

app = Flask(__name__)
cached: dict[str, Any] = {"token": "", "until": 0.0}
lock = threading.Lock()


def bearer_token() -> str:
    with lock:
        if time.time() < cached["until"]:
            return str(cached["token"])
    token = DefaultAzureCredential().get_token(SCOPE)
    with lock:
        cached["token"], cached["until"] = token.token, token.expires_on - RENEW_EARLY
    return token.token


def mint_key() -> str:
    answer = requests.post(
        f"{BASE}/client_secrets",
        headers={"Authorization": f"Bearer {bearer_token()}", "Content-Type": "application/json"},
        json=SESSION,
        timeout=TIMEOUT,
    )
    answer.raise_for_status()
    return str(answer.json()["value"])


@app.get("/token")
def token() -> Response:
    return jsonify({"token": mint_key(), "endpoint": BASE, "deployment": "gpt-realtime"})


@app.post("/connect")
def connect() -> tuple[str, int, dict[str, str]]:
    answer = requests.post(
        f"{BASE}/calls",
        headers={"Authorization": f"Bearer {mint_key()}", "Content-Type": "application/sdp"},
        data=request.form["sdp"],
        timeout=TIMEOUT,
    )
    answer.raise_for_status()
    return answer.text, 201, {"Content-Type": "application/sdp"}
