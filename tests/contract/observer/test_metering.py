"""What a call uses: its responses, by the model that its session names, and its transcriptions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from shared.observer import meter
from shared.transcripts.writer import log_name
from shared.usage.price_files import load_prices
from shared.usage.transcription import TranscriptionUsage
from tests.contract.observer.harness import TEXT, observed_calls
from tests.contract.observer.scripted_run import CALL, QUIET, Scripted, scripted

TOKENS: Final = {
    "type": "tokens",
    "total_tokens": 43,
    "input_tokens": 29,
    "output_tokens": 14,
    "input_token_details": {"text_tokens": 1, "audio_tokens": 28},
}
SECONDS: Final = {"type": "duration", "seconds": 3.4}
COUNTED: Final = TranscriptionUsage(text_in=1, audio_in=28, text_out=14)
TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "ACCOUNTED_WITHIN", QUIET)


def session_of(model: str, transcription: str) -> dict[str, Any]:
    heard = {"transcription": {"model": transcription}}
    return {"type": "realtime", "model": model, "audio": {"input": heard}}


def hear(run: Scripted, item_id: str, usage: dict[str, Any] | None, words: str = "hello") -> None:
    run.tell(TRANSCRIBED, item_id=item_id, content_index=0, transcript=words, usage=usage)


async def test_a_deployment_with_a_name_of_its_own_costs_what_its_model_costs() -> None:
    deployed = {"realtime": ["voice-prod"], "transcription": [], "other": []}
    models = {"voice-prod": "gpt-realtime-2025-08-28"}
    async with observed_calls(deployments=deployed, models=models) as it:
        it.key = await it.server.mint(session={"type": "realtime", "model": "voice-prod", **TEXT})
        call_id = await it.server_call()
        it.server.fakes.peers[-1].open()
        call = await it.driven(call_id)
        watching = await it.watch(call)
        await call.turn("hello")
        await call.hang_up()
        used = (await watching.done()).tally.usage
    assert used.model == "gpt-realtime-2025-08-28"
    cost = load_prices().call_cost("voice-prod", used)
    assert cost is not None
    assert cost.amount > 0
    assert cost.model == "gpt-realtime"


async def test_transcriptions_are_counted_by_their_model_once_and_accounted_for_soon() -> None:
    async with scripted(keep_words=False) as run:
        run.tell("session.updated", session=session_of("gpt-realtime", "gpt-4o-transcribe"))
        hear(run, "item_1", TOKENS)
        hear(run, "item_1", TOKENS)
        await run.accounted()
        assert run.tallies[-1].total == 43, "no response need come"
        run.tell("session.updated", session=session_of("gpt-realtime", "gpt-realtime-whisper"))
        hear(run, "item_2", SECONDS)
        await run.done()
    used = (await run.watching.done()).tally.usage
    assert used.transcriptions == {
        "gpt-4o-transcribe": COUNTED,
        "gpt-realtime-whisper": TranscriptionUsage(seconds=3.4),
    }
    cost = load_prices().call_cost("voice-prod", used)
    assert cost is not None
    assert cost.amount == Decimal("0.0002125") + Decimal("0.000963333")


async def test_words_without_their_usage_are_counted_as_such_and_silence_is_not() -> None:
    async with scripted() as run:
        hear(run, "item_1", None)
        hear(run, "item_2", None, words=" ")
        await run.done()
    used = (await run.watching.done()).tally.usage
    assert used.transcribed == TranscriptionUsage(unmeasured=1)


async def test_a_model_that_a_page_names_is_on_no_record() -> None:
    async with scripted(keep_words=False) as run:
        run.tell("session.updated", session=session_of("gpt-realtime", "the-pages-own-words"))
        hear(run, "item_1", SECONDS)
        await run.done()
        assert b"own-words" not in run.it.log.read(log_name(CALL))
    (name,) = (await run.watching.done()).tally.usage.transcriptions
    assert name.startswith("unknown #")


async def test_a_profiles_own_deployment_keeps_its_name() -> None:
    session = session_of("voice-prod", "ears-prod")
    async with scripted(session=session) as run:
        run.tell("session.updated", session=session)
        hear(run, "item_1", SECONDS)
        await run.done()
    assert list((await run.watching.done()).tally.usage.transcriptions) == ["ears-prod"]


@pytest.mark.parametrize("deleted", [False, True])
async def test_the_next_run_knows_what_was_used_before(deleted: bool) -> None:
    session = session_of("gpt-realtime-2025-08-28", "gpt-4o-transcribe")
    usage = {"input_token_details": {"text_tokens": 5}, "input_tokens": 5}
    async with scripted() as run:
        run.tell("session.updated", session=session)
        hear(run, "item_1", TOKENS)
        run.end("resp_1", status="completed", usage=usage)
        await run.handled()
        if deleted:
            run.it.log.delete(log_name(CALL))
            await run.handled()
        await run.it.kill(run.watching)
        run.it.skip += timedelta(seconds=31)
        async with scripted(run.it) as next_run:
            hear(next_run, "item_2", TOKENS)
            await next_run.done()
        used = (await next_run.watching.done()).tally.usage
    assert used.transcriptions == {"gpt-4o-transcribe": COUNTED + COUNTED}
    assert (used.model, used.responses.text_in) == ("gpt-realtime-2025-08-28", 5)
