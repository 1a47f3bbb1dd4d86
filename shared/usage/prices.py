"""What calls cost: a dated price table, and the cost of a usage. Pure.

The cost of a model that is not in the table is None, which means unknown: never 0, never a guess. A
dated name (`gpt-realtime-2025-08-28`) has the price of its family, and the cost says so. A newer
model whose name merely begins like an older one's (`gpt-realtime-3`) does not.

shared/usage/price_files.py reads the tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from shared.usage.call_usage import CallUsage
from shared.usage.live_usage import LiveUsage
from shared.usage.tokens import Usage
from shared.usage.transcription import TranscriptionUsage

MILLION = 1_000_000
DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest|preview(?:-\d{4}-\d{2}-\d{2})?)")
TOKEN_KINDS = (
    "text_in",
    "cached_text",
    "text_out",
    "audio_in",
    "cached_audio",
    "audio_out",
    "image_in",
    "cached_image",
    "written_text",
)
"""Prices of a million tokens."""
MINUTE_KINDS = ("minute", "paused_minute")
"""Prices of a minute, for models that are billed by time: of audio, or of a session while it runs
and while it pauses."""
KINDS = (*TOKEN_KINDS, *MINUTE_KINDS)
SMALLEST = Decimal("1e-9")
"""A price by the minute is billed by the second, which is no whole number of anything."""
UNKNOWN = "unknown"
"""Stands where there would be a cost."""
Tariff = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a usage costs by the table of `as_of`. `model` is the entry that gives the price: the
    family's where the model's own name is dated (`by_family`)."""

    amount: Decimal
    currency: str
    model: str
    by_family: bool
    as_of: date


@dataclass(frozen=True, slots=True)
class Prices:
    """A price table: for each model the price of a million tokens of each kind, or of a minute.
    `deployments` names the models behind names that only the operator knows."""

    as_of: date
    currency: str
    models: Mapping[str, Tariff]
    deployments: Mapping[str, str] = field(default_factory=dict)

    def price_family(self, model: str) -> str | None:
        """The entry that gives the price of `model`: its own, or the longest name of which it is a
        dated version. A gateway's name for it has the provider before a slash; capitals do not
        matter."""
        if model in self.models:
            return model
        plain = model.lower().rpartition("/")[2]
        for name in sorted(self.models, key=len, reverse=True):
            rest = plain.removeprefix(name.lower())
            if not rest or (rest != plain and DATED.fullmatch(rest)):
                return name if plain else None
        return None

    def cost(self, model: str, usage: Usage) -> Cost | None:
        """What `usage` costs with `model`. None where that is unknown: the model is not in the
        table, the table has no price for a kind that was used, or the endpoint did not name the
        kind."""
        family = self.price_family(model)
        if family is None or usage.unsplit_in or usage.unsplit_out:
            return None
        return self.cost_as(model, family, token_amount(self.models[family], billed_tokens(usage)))

    def transcription_cost(self, model: str, usage: TranscriptionUsage) -> Cost | None:
        """What transcriptions cost with `model`, by the minute or by tokens as the table has it.
        None where that is unknown."""
        family = self.price_family(model)
        if family is None or usage.unmeasured:
            return None
        return self.cost_as(model, family, transcription_amount(self.models[family], usage))

    def live_cost(self, model: str, usage: LiveUsage) -> Cost | None:
        """What the voice of a Live call costs with `model`: its seconds, those while it was paused
        at their own price. None where that is unknown: the table has no price of a minute."""
        family = self.price_family(model)
        if family is None:
            return None
        tariff = self.models[family]
        active = minute_amount(tariff, usage.active_seconds)
        # A price that nothing is charged at need not be known.
        paused: Decimal | None = Decimal(0)
        if usage.paused_seconds:
            paused = minute_amount(tariff, usage.paused_seconds, "paused_minute")
        amount = None if active is None or paused is None else active + paused
        return self.cost_as(model, family, amount)

    def call_cost(self, deployment: str, used: CallUsage) -> Cost | None:
        """What a call costs, its transcriptions and what it delegated included; `deployment` is
        what its profile calls the model. None where any part is unknown: see `unpriced`."""
        parts = self.costs_by_model(deployment, used)
        known = [cost for _, cost in parts if cost is not None]
        if len(known) < len(parts):
            return None
        return replace(known[0], amount=sum((cost.amount for cost in known), Decimal(0)))

    def unpriced(self, deployment: str, used: CallUsage) -> list[str]:
        """The models of a call whose part of its cost is unknown."""
        parts = self.costs_by_model(deployment, used)
        return [name for name, cost in parts if cost is None]

    def costs_by_model(self, deployment: str, used: CallUsage) -> list[tuple[str, Cost | None]]:
        """The models of a call with what each costs: the one that answers comes first."""
        model = self.model_of(deployment, used)
        if used.live is not None:
            delegated = [
                (name, self.cost(self.deployments.get(name, name), usage))
                for name, usage in used.live.backend.items()
            ]
            return [(model, self.live_cost(model, used.live)), *delegated]
        transcriptions = [
            (name, self.transcription_cost(self.deployments.get(name, name), usage))
            for name, usage in used.transcriptions.items()
        ]
        return [(model, self.cost(model, used.responses)), *transcriptions]

    def model_of(self, deployment: str, used: CallUsage) -> str:
        """The model of a call: what the operator says of the deployment, what the session told, or
        else the deployment's name."""
        return self.deployments.get(deployment) or used.model or deployment

    def cost_as(self, model: str, family: str, amount: Decimal | None) -> Cost | None:
        if amount is None:
            return None
        return Cost(amount, self.currency, family, family != model, self.as_of)


def token_amount(tariff: Tariff, billed: Mapping[str, int]) -> Decimal | None:
    """The price of these tokens, None if one of the kinds has none."""
    amount = Decimal(0)
    for kind, tokens in billed.items():
        if not tokens:
            continue
        price = tariff.get(kind)
        if price is None:
            return None
        amount += price * tokens / MILLION
    return amount


def minute_amount(tariff: Tariff, seconds: float, kind: str = "minute") -> Decimal | None:
    """The price of these seconds, None if the tariff has no price by the minute."""
    price = tariff.get(kind)
    if price is None:
        return None
    amount = price * Decimal(str(seconds)) / 60
    return amount.quantize(SMALLEST).normalize() if amount else Decimal(0)


def transcription_amount(tariff: Tariff, usage: TranscriptionUsage) -> Decimal | None:
    """The price of transcriptions. Tokens of a model by the minute, and seconds of a model by
    tokens, do not tell it."""
    if "minute" in tariff:
        measured = usage.seconds or not usage.total
        return minute_amount(tariff, usage.seconds) if measured else None
    if usage.seconds and not usage.total:
        return None
    # Where both kinds of input cost the same, the endpoint need not split them.
    if usage.unsplit_in and tariff.get("text_in") != tariff.get("audio_in"):
        return None
    audio_in = usage.audio_in + usage.unsplit_in
    billed = {"text_in": usage.text_in, "audio_in": audio_in, "text_out": usage.text_out}
    return token_amount(tariff, billed)


def billed_tokens(usage: Usage) -> dict[str, int]:
    """Tokens as they are billed: those that were read from the cache or put into it are not billed
    as fresh input too."""
    return {
        "text_in": usage.text_in - usage.cached_text - usage.written_text,
        "cached_text": usage.cached_text,
        "written_text": usage.written_text,
        "text_out": usage.text_out,
        "audio_in": usage.audio_in - usage.cached_audio,
        "cached_audio": usage.cached_audio,
        "audio_out": usage.audio_out,
        "image_in": usage.image_in - usage.cached_image,
        "cached_image": usage.cached_image,
    }
