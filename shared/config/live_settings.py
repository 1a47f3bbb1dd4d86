"""The settings of GPT-Live: models, and which optional fields of a session are sent."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config.env import EnvReader, Provider

MODEL = "gpt-live-1"
DELEGATION_MODEL = "gpt-5.6-sol"
OPTIONAL_FIELDS = ("idle_timeout_s", "wake_policy", "store", "triggers", "safety_identifier")
"""Fields of a session that the providers are not known to serve alike."""
ALL, NONE = "all", "none"
NAME = "a name: one word"


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the settings say for profiles of GPT-Live. `delegation_model` is the backend's, of
    profiles that name none; `fields` are the optional fields of a session that may be sent; None:
    those that the provider serves."""

    model: str = MODEL
    delegation_model: str = DELEGATION_MODEL
    fields: frozenset[str] | None = None

    def fields_at(self, provider: Provider) -> frozenset[str]:
        """The optional fields that are sent to an endpoint of that provider: OpenAI serves every
        field; Azure documents none of the optional ones."""
        if self.fields is not None:
            return self.fields
        return frozenset(OPTIONAL_FIELDS if provider == "openai" else ())


def read_live(read: EnvReader) -> LiveSettings:
    return LiveSettings(
        model=read.read_word("LIVE_MODEL", NAME) or MODEL,
        delegation_model=read.read_word("LIVE_DELEGATION_MODEL", NAME) or DELEGATION_MODEL,
        fields=read.read_parsed(
            "LIVE_SESSION_FIELDS",
            parse_fields,
            None,
            f'"{ALL}", "{NONE}", or some of {", ".join(OPTIONAL_FIELDS)}, comma-separated',
        ),
    )


def parse_fields(value: str) -> frozenset[str]:
    words = frozenset(word.strip().lower() for word in value.split(",") if word.strip())
    if words == {ALL}:
        return frozenset(OPTIONAL_FIELDS)
    if words == {NONE}:
        return frozenset()
    if not words <= set(OPTIONAL_FIELDS):
        raise ValueError
    return words
