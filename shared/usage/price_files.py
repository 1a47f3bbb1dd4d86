"""Reads the price table, and the operator's own prices over it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.usage.prices import KINDS, Prices, Tariff

FILE = Path(__file__).with_name("prices.json")
DEAREST = Decimal(1_000_000)


def load_prices(file: Path = FILE, *, own: Path | None = None) -> Prices:
    """The table in a file like prices.json, with the operator's `own` file laid over it. Raises
    ValueError for anything else, naming the file, and OSError."""
    content = read_object(file)
    table = Prices(
        read_date(file, content), read_currency(file, content), read_models(file, content)
    )
    return table if own is None else lay_over(table, own)


def lay_over(table: Prices, file: Path) -> Prices:
    """The table with the entries of an operator's file: each replaces a model's or adds one, and
    `deployments` says which model is behind a name. The date becomes that of the file."""
    content = read_object(file)
    if unknown := set(content) - {"as_of", "currency", "unit", "source", "models", "deployments"}:
        raise ValueError(f"{file.name}: unknown: {', '.join(sorted(unknown))}")
    if content.get("currency", table.currency) != table.currency:
        raise ValueError(f"{file.name}: currency: write prices in {table.currency}")
    own = read_models(file, content) if "models" in content else {}
    models = {**table.models, **own}
    named = content.get("deployments", {})
    if not isinstance(named, Mapping):
        raise ValueError(f"{file.name}: deployments: expected an object of models by deployment")
    # Who gives a deployment prices of its own means them, whatever its session says it runs.
    deployments = {name: name for name in own if name not in table.models}
    for name, model in named.items():
        if not isinstance(model, str) or replace(table, models=models).price_family(model) is None:
            raise ValueError(f"{file.name}: deployments: {name}: expected a model with a price")
        deployments[name] = model
    return Prices(
        read_date(file, content),
        table.currency,
        MappingProxyType(models),
        MappingProxyType(deployments),
    )


def read_object(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file.name}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file.name}: expected an object")
    return content


def read_date(file: Path, content: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(content["as_of"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{file.name}: as_of: expected the prices' day, like 2026-11-20") from None


def read_currency(file: Path, content: Mapping[str, Any]) -> str:
    currency = content.get("currency")
    if not isinstance(currency, str) or not currency:
        raise ValueError(f"{file.name}: currency: expected a code like USD")
    return currency


def read_models(file: Path, content: Mapping[str, Any]) -> Mapping[str, Tariff]:
    """The prices by model."""
    listed = content.get("models")
    if not isinstance(listed, Mapping):
        raise ValueError(f"{file.name}: models: expected an object of prices by model")
    models: dict[str, Tariff] = {}
    for model, tariff in listed.items():
        if not isinstance(tariff, Mapping) or not tariff:
            raise ValueError(f"{file.name}: {model}: expected prices by kind")
        if unknown := set(tariff) - set(KINDS):
            raise ValueError(f"{file.name}: {model} has prices of unknown kinds: {sorted(unknown)}")
        prices = {kind: read_price(file, model, price) for kind, price in tariff.items()}
        models[model] = MappingProxyType(prices)
    return MappingProxyType(models)


def read_price(file: Path, model: str, price: object) -> Decimal:
    """A price in a string, because a float would not be exact."""
    try:
        found = Decimal(price) if isinstance(price, str) else Decimal("nan")
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite() or not 0 <= found <= DEAREST:
        raise ValueError(f'{file.name}: {model}: write prices as strings, like "4.00"')
    return found
