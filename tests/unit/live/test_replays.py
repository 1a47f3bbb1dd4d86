"""Events that come once more."""

from __future__ import annotations

from shared.live.replays import REMEMBERED, Replays
from shared.live.server_events import USER, SessionNotice, TranscriptFragment


def test_a_flood_of_one_kind_does_not_make_words_new() -> None:
    """A page mutes and unmutes its session over and over; then the connection is lost."""
    replays = Replays()
    word = TranscriptFragment("session.input_transcript.delta", "event_1", USER, "Ada", 0, 200)
    assert not replays.is_replayed(word)
    for number in range(2 * REMEMBERED):
        replays.is_replayed(SessionNotice("session.input_audio.muted", f"mute_{number}"))
    assert replays.is_replayed(word)
    latest = f"mute_{2 * REMEMBERED - 1}"
    assert replays.is_replayed(SessionNotice("session.input_audio.muted", latest))
