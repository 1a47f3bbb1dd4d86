"""What differs between the sidebands of the voice APIs: their URLs and their frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.sideband.events import ServerEvent

ReadFrame = Callable[[str | bytes], "ServerEvent"]
"""The event in a frame; `NotUnderstood` for whatever is not one. Never raises. Of a frame over
`LARGEST_EVENT` it gets the beginning, which is longer than that."""


@dataclass(frozen=True, slots=True)
class SidebandContract:
    """The sideband of one API.

    `suffix` gives, for a call's id, what follows the API's REST base in the URL. `gone` is the
    endpoint's own code of a 404 for a call that is over. `frame_reader` is asked once a connection,
    so that a cold start does not import what reads frames. `dropped` are the beginnings of frames
    that nobody needs: they are dropped as they arrive, neither copied nor decoded.
    """

    suffix: Callable[[str], str]
    gone: str
    frame_reader: Callable[[], ReadFrame]
    dropped: tuple[bytes, ...] = ()
