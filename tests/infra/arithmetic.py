"""The formulas behind docs/cost.md and docs/scale.md, so that their numbers can be checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MODELS = json.loads((ROOT / "shared" / "usage" / "prices.json").read_text(encoding="utf-8"))[
    "models"
]
MILLION = 1_000_000


@dataclass(frozen=True)
class Conversation:
    """A call of `turns`; in each, both sides speak for some seconds.

    A second of audio is 10 tokens of input or 20 of output (OpenAI's guide to Realtime costs). In
    each turn the model reads the whole conversation again.
    """

    seconds: int = 300
    turns: int = 10
    heard: int = 150
    spoken: int = 300
    instructions: int = 300
    words: int = 75

    @property
    def new_audio(self) -> int:
        """Audio that is read for the first time: the caller's, and the previous answers."""
        return self.turns * self.heard + (self.turns - 1) * self.spoken

    @property
    def read_audio(self) -> int:
        rounds = range(1, self.turns + 1)
        return sum(each * self.heard + (each - 1) * self.spoken for each in rounds)

    @property
    def read_text(self) -> int:
        return self.turns * self.instructions

    @property
    def made(self) -> int:
        return self.turns * (self.spoken + self.words)

    @property
    def tokens(self) -> int:
        return self.read_audio + self.read_text + self.made

    def dollars(self, model: str, *, cached: bool) -> float:
        """The price in US dollars if everything that is read again is cached, or nothing is."""
        price = {name: float(value) for name, value in MODELS[model].items()}
        new_audio = self.new_audio if cached else self.read_audio
        new_text = self.instructions if cached else self.read_text
        parts = (
            (new_audio, "audio_in"),
            (self.read_audio - new_audio, "cached_audio"),
            (new_text, "text_in"),
            (self.read_text - new_text, "cached_text"),
            (self.turns * self.spoken, "audio_out"),
            (self.turns * self.words, "text_out"),
        )
        return sum(tokens * price[kind] for tokens, kind in parts) / MILLION


@dataclass(frozen=True)
class LiveConversation:
    """A Live call, of which the service was paused for some seconds.

    A delegated task is a recorded tool round: two responses, with 805 and 846 tokens of input and
    19 of output each.
    """

    seconds: int = 600
    paused: int = 0
    tasks: int = 0
    read: int = 805 + 846
    written: int = 19 + 19
    least: int = 15

    def dollars(self, voice: str = "gpt-live-1.1", backend: str = "gpt-5.6-sol") -> float:
        minutes = {name: float(value) for name, value in MODELS[voice].items()}
        tokens = {name: float(value) for name, value in MODELS[backend].items()}
        active = max(self.least, self.seconds) - self.paused
        of_voice = (active * minutes["minute"] + self.paused * minutes["paused_minute"]) / 60
        a_task = self.read * tokens["text_in"] + self.written * tokens["text_out"]
        return of_voice + self.tasks * a_task / MILLION


# East US, in US dollars, as of November 2026; docs/cost.md names the sources.
GB_SECOND, PER_EXECUTION = 0.000026, 0.40 / MILLION
FREE_GB_SECONDS, FREE_EXECUTIONS = 100_000, 250_000
WARM_GB_SECOND = 0.000004
WEB_A_MONTH = 9.0
# A log alert rule, by how often it looks.
ALERT_A_MONTH = {"PT5M": 1.5, "PT10M": 1.0, "PT15M": 0.5}
ALERTS = json.loads((ROOT / "infra" / "monitoring" / "alerts.json").read_text(encoding="utf-8"))
LOG_ALERTS_A_MONTH = sum(ALERT_A_MONTH[alert["every"]] for alert in ALERTS)
# A metric alert, by the series that it watches: that of 5xx has one.
METRIC_ALERT_A_MONTH = 0.10
ALERTS_A_MONTH = LOG_ALERTS_A_MONTH + METRIC_ALERT_A_MONTH
PER_WEB_TEST_RUN = 0.0006
# By the hour: a private endpoint, and a zone of private DNS by the month.
PRIVATE_ENDPOINT_AN_HOUR, ZONE_A_MONTH = 0.01, 0.50
# A NAT gateway and its public address.
NAT_AN_HOUR = 0.045 + 0.005
HOURS = 730
LOG_GB, FREE_LOG_GB = 2.30, 5.0
MONTH = 30 * 24 * 3600
# Of a call of five minutes, as counted under Microsoft's host.
LOOKS = 12.5
RUNS = 1 + 1 + 2 + LOOKS
# An assumption: what Log Analytics counts for a line or a request of an app like this.
KILOBYTES_A_RECORD = 1.0
GB = 2.0


MONTH_SECONDS = 30 * 24 * 3600
CORE_SECOND, GIB_SECOND, IDLE_CORE_SECOND = 0.000024, 0.000003, 0.000003
FREE_CORE_SECONDS, FREE_GIB_SECONDS = 180_000, 360_000


def replica_a_month(cores: int, gib: int, *, idle: bool = False) -> float:
    """A replica on Container Apps that runs all the time, in US dollars."""
    if idle:
        return MONTH_SECONDS * (cores * IDLE_CORE_SECOND + gib * GIB_SECOND)
    core_seconds = MONTH_SECONDS * cores - FREE_CORE_SECONDS
    gib_seconds = MONTH_SECONDS * gib - FREE_GIB_SECONDS
    return core_seconds * CORE_SECOND + gib_seconds * GIB_SECOND


@dataclass(frozen=True)
class Month:
    """What a month of `calls_a_day` uses besides the model."""

    calls_a_day: int
    call: Conversation = Conversation()
    start_seconds: float = 1.0
    # Calls that one instance observes at once: an assumption, within what host.json allows.
    observed_at_once: int = 100
    # Six lines of the app, three of the host a run but for observe_call, and a record a run.
    log_records: float = 6 + 3 * (RUNS - LOOKS) + RUNS

    @property
    def calls(self) -> int:
        return self.calls_a_day * 30

    @property
    def executions(self) -> int:
        """Those of the calls, and a sweep every five minutes."""
        return round(RUNS * self.calls) + 30 * 24 * 12

    @property
    def gb_seconds(self) -> float:
        busy = self.start_seconds + self.call.seconds / self.observed_at_once
        return self.calls * busy * GB

    @property
    def functions(self) -> float:
        return (
            max(0.0, self.gb_seconds - FREE_GB_SECONDS) * GB_SECOND
            + max(0, self.executions - FREE_EXECUTIONS) * PER_EXECUTION
        )

    @property
    def logs(self) -> float:
        return (
            max(0.0, self.calls * self.log_records * KILOBYTES_A_RECORD / MILLION - FREE_LOG_GB)
            * LOG_GB
        )


@dataclass(frozen=True)
class Day:
    """A day of `calls`, with a peak of `peak` times the mean rate."""

    calls: int
    call: Conversation = Conversation()
    peak: float = 5.0

    @property
    def starts(self) -> float:
        """Starts per second at the peak."""
        return self.calls / 86_400 * self.peak

    @property
    def live(self) -> float:
        """Concurrent calls at the peak."""
        return self.starts * self.call.seconds

    @property
    def tokens_a_minute(self) -> float:
        return self.live * self.call.tokens / (self.call.seconds / 60)
