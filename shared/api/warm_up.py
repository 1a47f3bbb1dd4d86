"""Loads what the first request needs before it comes, or while it waits for the model's endpoint.

A worker imports function_app, asks the app for its functions, and the host sends the first request
some time after that. Opening the broker takes as long as a trip to the model's endpoint, so it
begins there, on a thread of its own. Nothing is sent to anybody, and no secret is read
(docs/adr/0023-what-the-first-request-needs-is-loaded-before-it.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import azure.functions as func

from shared.core import logs
from shared.core.problems import Problem

if TYPE_CHECKING:
    from shared.broker import Broker


class WarmedApp(func.FunctionApp):
    """A FunctionApp that opens the broker as soon as its functions have been listed."""

    def get_functions(self) -> list[func.Function]:
        functions = super().get_functions()
        in_background(open_early)
        return functions


def in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="warm-up", daemon=True).start()


def open_early() -> None:
    """Opens the broker. Wrong settings are logged by whoever opens it."""
    # OpenSSL reads the authorities without the interpreter's lock: beside everything else.
    import shared.core.tls_contexts
    from shared.api.lazy_broker import current_broker

    in_background(load_trust)
    import shared.api.http_functions  # noqa: F401

    try:
        current_broker()
    except Problem:
        return
    except Exception:
        logs.failure("opening the broker early failed")


def load_for_calls(broker: Broker) -> None:
    """Loads what is imported only when a call needs it, in the order in which the first one does.
    What cannot be loaded here is the first call's to report."""
    if any(each.needs_identity for each in broker.settings.endpoints):
        import azure.identity
    load_trust()
    from cryptography.hazmat.primitives.ciphers import aead  # noqa: F401

    if broker.stores.shared:
        import azure.data.tables
        import azure.storage.queue  # noqa: F401


def load_trust() -> None:
    """The authorities that the model's endpoints are verified with."""
    from urllib3.exceptions import SSLError

    from shared.core.http_session import authorities
    from shared.core.tls_contexts import verifying_context

    with suppress(SSLError):
        verifying_context(authorities())
