"""What tokens cost: a dated price table, and the cost of a usage. Pure except for reading the file.

The cost of a model that is not in the table is None, which means unknown: never 0, never a guess. A
dated name (`gpt-realtime-2025-08-28`) has the price of its family, and the cost says so. A newer
model whose name merely begins like an older one's (`gpt-realtime-3`) does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from shared.usage.tokens import Usage

FILE = Path(__file__).with_name("prices.json")
MILLION = 1_000_000
DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest|preview(?:-\d{4}-\d{2}-\d{2})?)")
KINDS = (
    "text_in",
    "cached_text",
    "text_out",
    "audio_in",
    "cached_audio",
    "audio_out",
    "image_in",
    "cached_image",
)
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
    """A price table: for each model the price of a million tokens of each kind."""

    as_of: date
    currency: str
    models: Mapping[str, Tariff]

    def price_family(self, model: str) -> str | None:
        """The entry that gives the price of `model`: its own, or the longest name of which it is a
        dated version."""
        for name in sorted(self.models, key=len, reverse=True):
            rest = model.removeprefix(name)
            if model == name or (rest != model and DATED.fullmatch(rest)):
                return name
        return None

    def cost(self, model: str, usage: Usage) -> Cost | None:
        """What `usage` costs with `model`. None where that is unknown: the model is not in the
        table, the table has no price for a kind that was used, or the endpoint did not name the
        kind."""
        family = self.price_family(model)
        if family is None or usage.unsplit_in or usage.unsplit_out:
            return None
        amount = Decimal(0)
        for kind, tokens in billed_tokens(usage).items():
            if not tokens:
                continue
            price = self.models[family].get(kind)
            if price is None:
                return None
            amount += price * tokens / MILLION
        return Cost(amount, self.currency, family, family != model, self.as_of)


def billed_tokens(usage: Usage) -> dict[str, int]:
    """Tokens as they are billed: cached tokens are not billed as fresh input too."""
    return {
        "text_in": usage.text_in - usage.cached_text,
        "cached_text": usage.cached_text,
        "text_out": usage.text_out,
        "audio_in": usage.audio_in - usage.cached_audio,
        "cached_audio": usage.cached_audio,
        "audio_out": usage.audio_out,
        "image_in": usage.image_in - usage.cached_image,
        "cached_image": usage.cached_image,
    }


def load_prices(file: Path = FILE) -> Prices:
    """The table in a file like prices.json. Raises ValueError for anything else."""
    content = json.loads(file.read_text(encoding="utf-8"))
    models: dict[str, Tariff] = {}
    for model, tariff in content["models"].items():
        if unknown := set(tariff) - set(KINDS):
            raise ValueError(f"{file.name}: {model} has prices of unknown kinds: {sorted(unknown)}")
        if not all(isinstance(price, str) for price in tariff.values()):
            raise ValueError(f'{file.name}: {model}: write prices as strings, like "4.00"')
        models[model] = MappingProxyType({kind: Decimal(price) for kind, price in tariff.items()})
    as_of = date.fromisoformat(content["as_of"])
    return Prices(as_of, content["currency"], MappingProxyType(models))


UNKNOWN = "unknown"
