"""The pytest plugin, by test runs that use it."""

from __future__ import annotations

import re

import pytest

from tests.support.emulator_package import ROOT

pytest_plugins = ["pytester"]
PLUGIN = ("-p", "realtime_emulator.pytest_plugin", "-p", "no:cacheprovider")

CALL = '''
import asyncio
import json
from urllib.request import Request, urlopen

from realtime_emulator.caller import Caller


async def call(emulator, ask):
    """A caller writes something and hangs up once it is answered."""
    async with Caller() as caller:
        headers = {"Authorization": f"Bearer {emulator.create_key()}"}
        offer = (await caller.offer()).encode()
        request = Request(f"{emulator.realtime_url}/calls", offer, headers)
        answer = await asyncio.to_thread(lambda: urlopen(request).read().decode())
        await caller.accept(answer)
        content = [{"type": "input_text", "text": ask}]
        item = {"type": "message", "role": "user", "content": content}
        caller.send_event({"type": "conversation.item.create", "item": item})
        caller.send_event({"type": "response.create"})
        await caller.expect("response.done")
'''


PASSING = {
    "test_calls": """
        import asyncio
        import pytest
        from calling import call

        @pytest.mark.realtime(script={"rules": [{"words": ["price"], "say": "Ten."}]})
        def test_a_call_is_scripted_and_read(realtime_emulator):
            asyncio.run(call(realtime_emulator, "what is the price"))
            [made] = realtime_emulator.calls
            assert made.said == ["Ten."]
            assert made.wait_for("response.done")["response"]["status"] == "completed"
            assert made.wait_for_client("response.create")["type"] == "response.create"
            assert made.types[:3] == [
                "session.created", "conversation.item.added", "conversation.item.done"
            ]
            assert made.wait_for_end() == "the caller hung up"
            assert made.state["model"] == "gpt-realtime"
            assert realtime_emulator.requests["calls"] == 1
            times = [line["at"] for line in made.recording]
            assert times == sorted(times)

        def test_the_next_test_has_neither_its_calls_nor_its_script(realtime_emulator):
            assert realtime_emulator.calls == []
            assert realtime_emulator.requests["calls"] == 0
            assert "Ten." not in str(realtime_emulator.state["script"])
        """,
    "test_scripts": """
        import pytest

        @pytest.fixture
        def realtime_script():
            return {"greeting": "From the fixture.", "otherwise": "Well."}

        @pytest.mark.realtime(script="slow.json")
        def test_a_script_is_of_the_fixture_the_file_and_the_test(realtime_emulator):
            script = realtime_emulator.state["script"]
            assert script["greeting"] == "From the file."
            assert (script["unheard"], script["otherwise"]) == ("What?", "Well.")
            realtime_emulator.use_script({"otherwise": "Now."})
            assert realtime_emulator.state["script"]["otherwise"] == "Now."

        def test_what_is_no_script_is_said(realtime_emulator):
            with pytest.raises(ValueError, match="greting"):
                realtime_emulator.use_script({"greting": "Hi."})
        """,
    "test_providers": """
        import pytest

        seen = set()

        @pytest.mark.parametrize("_", range(2))
        def test_one_process_serves_all_tests_of_a_provider(realtime_emulator, _):
            assert realtime_emulator.base_url.endswith("/openai/v1")
            seen.add(realtime_emulator.url)

        @pytest.mark.realtime(provider="openai")
        def test_a_test_may_name_another(realtime_emulator):
            assert not realtime_emulator.base_url.endswith("/openai/v1")
            seen.add(realtime_emulator.url)
            assert len(seen) == 2
        """,
    "test_gpt_live": """
        import asyncio
        import pytest
        from realtime_emulator.caller import Caller

        LIVE = {"rules": [{"words": ["price"], "say": "Ten."}]}

        @pytest.mark.realtime(provider="openai", script=LIVE)
        def test_a_session_without_sound(realtime_emulator):
            async def converse():
                async with Caller() as caller:
                    transport = {"type": "webrtc", "sdp": await caller.offer()}
                    body = {"session": {"model": "gpt-live-1"}, "transport": transport}
                    made = await asyncio.to_thread(
                        realtime_emulator.ask, "POST", "/v1/live/sessions", body
                    )
                    await caller.accept(made["transport"]["sdp"])
                    session = realtime_emulator.wait_for_session()
                    session.speak("what is the price")
                    await caller.expect("session.output_transcript.delta")
                    return session
            session = asyncio.run(converse())
            assert session.heard == ["what is the price"]
            assert session.said == ["Ten."]
            assert session.state["transport"] == "webrtc"
        """,
}
FAILING = """
    import asyncio
    import pytest
    from calling import call

    def test_waiting(realtime_emulator):
        asyncio.run(call(realtime_emulator, "hello"))
        realtime_emulator.calls[0].wait_for("response.cancelled", seconds=0.1)

    @pytest.mark.realtime(provider="acme")
    def test_provider(realtime_emulator):
        pass

    def test_ini(realtime_emulator):
        assert not realtime_emulator.base_url.endswith("/openai/v1")
    """


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A bare project whose tests can make calls."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(calling=CALL)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_subprocess(*PLUGIN, *options)


def test_what_tests_do_with_it(project: pytest.Pytester) -> None:
    """In one run, because starting an emulator takes a while."""
    project.makefile(".json", slow='{"greeting": "From the file.", "unheard": "What?"}')
    project.makepyfile(**PASSING)
    run(project, "--strict-markers").assert_outcomes(passed=8)


def test_a_failure_shows_what_passed_and_an_unknown_provider_is_said(
    project: pytest.Pytester,
) -> None:
    project.makeini("[pytest]\nrealtime_provider = openai")
    project.makepyfile(FAILING)
    result = run(project)
    result.assert_outcomes(failed=1, errors=1, passed=1)
    text = result.stdout.str()
    assert "NotInTime: no response.cancelled (1) in [" in text
    assert re.search(r"- realtime_emulator: rtc_\w+ -", text)
    assert re.search(r"<- .*response\.done", text)
    assert "azure or openai, not 'acme'" in text


def test_a_run_without_it_starts_nothing(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    result = run(project, "--setup-show", "--strict-markers")
    result.assert_outcomes(passed=1)
    assert "realtime" not in result.stdout.str().partition("test_it")[2]
