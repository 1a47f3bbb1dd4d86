"""How frames with audio begin on the Live sideband (recorded traffic). Pure.

In JSON, nothing but the type of the event can look like this at the beginning: a quote in a text is
escaped. It has a module of its own so that a connection can drop such frames without importing what
reads them.
"""

from __future__ import annotations

INPUT_AUDIO = "session.input_audio.append"
OUTPUT_AUDIO = "session.output_audio.delta"
SPACINGS = ('{"type":"%s"', '{"type": "%s"')


def beginnings_of(kind: str) -> tuple[bytes, ...]:
    """How frames with an event of that type begin."""
    return tuple((spacing % kind).encode() for spacing in SPACINGS)


AUDIO_BEGINNINGS = (*beginnings_of(INPUT_AUDIO), *beginnings_of(OUTPUT_AUDIO))
