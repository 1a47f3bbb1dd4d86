"""A function app that learns of every call that has ended: the beginning of a bill, of a note in a
CRM, of a report. docs/call-events.md says what is in a message.

    python3 dev.py host --app samples/call-ended --port 7072

The setting VOICE_STORAGE names the broker's storage account.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import azure.functions as func

SCHEMA = 1
logger = logging.getLogger("call-ended")
app = func.FunctionApp()


@app.queue_trigger(arg_name="message", queue_name="call-ended", connection="VOICE_STORAGE")
def call_ended(message: func.QueueMessage) -> None:
    """Takes one message. What this raises brings the message back, and at last to
    call-ended-poison."""
    ended: dict[str, Any] = json.loads(message.get_body())
    if ended["schema"] != SCHEMA:
        raise ValueError(f"a message of schema {ended['schema']}: this app knows {SCHEMA}")
    # A message may come twice. Write under the call's id, so that the second changes nothing.
    logger.info(
        "%s ended by %s after %s s, cost %s, transcript %s",
        ended["call"],
        ended["ended_by"],
        ended["seconds"],
        ended.get("cost", "not counted"),
        ended.get("transcript", {}).get("blob", "not kept"),
    )
