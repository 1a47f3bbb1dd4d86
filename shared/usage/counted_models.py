"""The models by which the usage of one call is counted: a bounded number of them. Pure."""

from __future__ import annotations

from collections.abc import Collection

MOST_MODELS = 8
"""A page that decides its session may name more of them: then they count together, under a name
without a price."""
OTHER_MODELS = "other"


def counted_as(model: str, counted: Collection[str]) -> str:
    """The name under which `model` counts beside those that are counted already."""
    return model if model in counted or len(counted) < MOST_MODELS else OTHER_MODELS
