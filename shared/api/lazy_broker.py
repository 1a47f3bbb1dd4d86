"""The broker of this process, opened at its first request or, early, by shared/api/warm_up.py.

`shared.broker` is imported then, off the event loop: no request waits for it while the app is
indexed (docs/performance.md).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from shared.core import logs
from shared.core.problems import Problem
from shared.core.refusal_counter import Counts, RefusalCounter

if TYPE_CHECKING:
    from shared.auth.origins import CrossOriginPolicy
    from shared.broker import Broker
    from shared.observer.worker import ObserverWorker
    from shared.storage.interfaces import Queue, Storage


class LazyBroker:
    """Opens the broker from the app settings in `env`, once. Wrong settings stay wrong until a
    restart, and are logged once."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.lock = threading.Lock()
        self.opened: Broker | None = None
        self.worker: ObserverWorker | None = None
        self.storage: Storage | None = None
        self.mistakes: tuple[str, ...] = ()
        self.refusals = RefusalCounter(self.write_refusals)

    def broker(self) -> Broker:
        """The broker. Raises Problem misconfigured."""
        if self.opened is not None:
            return self.opened
        with self.lock:
            if self.opened is None and not self.mistakes:
                self.opened = self.open_broker()
        if self.opened is None:
            raise Problem("misconfigured")
        return self.opened

    def open_broker(self) -> Broker | None:
        from shared.api.warm_up import in_background, load_for_calls
        from shared.broker import open_broker
        from shared.config.env import ConfigurationError

        try:
            broker = open_broker(self.env)
        except ConfigurationError as wrong:
            self.mistakes = wrong.mistakes
            for mistake in wrong.mistakes:
                logs.event("misconfigured", logging.ERROR, setting=mistake)
            return None
        in_background(partial(load_for_calls, broker))
        return broker

    def observer_worker(self) -> ObserverWorker:
        """What follows calls, opened at the first call that is observed here.

        Raises Problem misconfigured.
        """
        broker = self.broker()
        with self.lock:
            if self.worker is None:
                from shared.broker import open_observer_worker

                self.worker = open_observer_worker(broker)
            return self.worker

    def queue(self, name: str) -> Queue:
        """A queue of the app's storage, which is there while other settings are wrong."""
        from shared.credentials.identity import open_identity
        from shared.storage.factory import CONNECTION, open_storage_from_env

        with self.lock:
            if self.storage is None:
                self.storage = open_storage_from_env(
                    self.env, partial(open_identity, self.env, CONNECTION)
                )
            return self.storage.queue(name)

    def write_refusals(self, day: str, counts: Counts) -> bool:
        """Writes what has been refused on a day. False while the broker is not open, or storage is
        unavailable."""
        return self.opened is not None and self.opened.stores.refusals.write(day, counts)

    def origins(self) -> CrossOriginPolicy:
        """The origins that may use the broker; only its own while the settings are wrong."""
        try:
            return self.broker().origins
        except Problem:
            from shared.auth.origins import CrossOriginPolicy

            return CrossOriginPolicy()


PROCESS = LazyBroker(os.environ)


def use_settings(env: Mapping[str, str], prefix: str, connection: str) -> None:
    """Has the broker of this process read its settings under `prefix`, and keep everything in the
    storage of that connection. Before its first request."""
    from shared.config.guest_settings import settings_under

    global PROCESS  # one broker in a process, chosen while the app is loaded
    PROCESS = LazyBroker(settings_under(env, prefix, connection))


def current_broker() -> Broker:
    """The broker of this process. Raises Problem misconfigured."""
    return PROCESS.broker()


def current_observer_worker() -> ObserverWorker:
    """What follows calls in this process. Raises Problem misconfigured."""
    return PROCESS.observer_worker()


def current_queue(name: str) -> Queue:
    """A queue of this app, also while the broker's settings are wrong."""
    return PROCESS.queue(name)


def current_origins() -> CrossOriginPolicy:
    """The origins whose pages may use the broker of this process."""
    return PROCESS.origins()


def count_refusal(route: str, code: str) -> None:
    """Counts a request that a route has answered with that problem."""
    PROCESS.refusals.count(route, code)


def write_refusals() -> None:
    """Writes what has been counted and is not written yet."""
    PROCESS.refusals.write_counts()
    if PROCESS.opened is not None:
        PROCESS.opened.stores.endpoint_refusals.write_counts()


def observes_calls() -> bool:
    """Whether this process observes calls now."""
    return PROCESS.opened is not None and PROCESS.opened.slots.taken > 0
