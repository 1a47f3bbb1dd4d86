"""A session's turn detection, as the voice activity detection takes it."""

from __future__ import annotations

from datetime import timedelta

from local.emulator.media.vad import TurnDetection
from local.emulator.protocol import session

SEMANTIC_SILENCE = {
    "low": timedelta(seconds=2),
    "medium": timedelta(seconds=1),
    "auto": timedelta(seconds=1),
    "high": timedelta(seconds=0.5),
}


def turn_detection_of(config: session.Config) -> TurnDetection | None:
    """A session's turn detection; None is push-to-talk. `semantic_vad` becomes a fixed silence."""
    detection = config["audio"]["input"]["turn_detection"]
    if detection is None:
        return None
    if detection["type"] == "semantic_vad":
        return TurnDetection(silence_duration=SEMANTIC_SILENCE[detection["eagerness"]])
    return TurnDetection(
        threshold=detection["threshold"],
        prefix_padding=timedelta(milliseconds=detection["prefix_padding_ms"]),
        silence_duration=timedelta(milliseconds=detection["silence_duration_ms"]),
    )
