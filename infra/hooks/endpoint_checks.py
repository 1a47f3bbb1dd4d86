"""preflight's checks of several endpoints: what MODEL_LOCATIONS, EXISTING_AI_ACCOUNTS and
DRAINED_ENDPOINTS say. infra/main.bicep reads the same words."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from findings import Finding, error, warning

REGION = re.compile(r"(?P<region>[a-z0-9]+)(?::(?P<units>[1-9][0-9]*))?")
ACCOUNT = re.compile(
    r"(?P<group>[\w.()-]+)/(?P<name>[\w.-]+)@(?P<region>[a-z0-9]+)(?::(?P<units>[1-9][0-9]*))?"
)
FIRST = "default"


@dataclass(frozen=True)
class ModelPlace:
    """An account: its endpoint's name, region and units, and where it is if it exists."""

    name: str
    region: str
    units: str
    existing: tuple[str, str] | None = None


def split_words(line: str) -> list[str]:
    """The words of a comma-separated variable."""
    return [word for word in line.replace(" ", "").split(",") if word]


def model_places(chosen: Mapping[str, str]) -> list[ModelPlace]:
    """The accounts that the broker will have, the first one first. Words that cannot be read are
    left out: `check_endpoints` tells of them."""
    first = (chosen["modelLocation"] or chosen["location"]).lower().replace(" ", "")
    own = chosen["existingAiAccountName"]
    where = (chosen["existingAiAccountResourceGroup"], own) if own else None
    found = [ModelPlace(FIRST, first, chosen["modelCapacity"], where)]
    for word in dict.fromkeys(split_words(chosen["modelLocations"].lower())):
        match = REGION.fullmatch(word)
        if match and match["region"] != first:
            units = match["units"] or chosen["modelCapacity"]
            found.append(ModelPlace(match["region"], match["region"], units))
    for word in split_words(chosen["existingAiAccounts"]):
        match = ACCOUNT.fullmatch(word)
        if match:
            name = re.sub(r"[_.]", "-", match["name"].lower())[:32]
            units = match["units"] or chosen["modelCapacity"]
            where = (match["group"], match["name"])
            found.append(ModelPlace(name, match["region"], units, where))
    return found


def check_endpoints(chosen: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the words can be read, and name each endpoint once."""
    for word in split_words(chosen["modelLocations"].lower()):
        if not REGION.fullmatch(word):
            yield error(
                f"MODEL_LOCATIONS: {word} is not a region, or a region with its units. Run: azd "
                "env set MODEL_LOCATIONS swedencentral,francecentral:20"
            )
    for word in split_words(chosen["existingAiAccounts"]):
        if not ACCOUNT.fullmatch(word):
            yield error(
                f"EXISTING_AI_ACCOUNTS: {word} does not name an account. Run: azd env set "
                "EXISTING_AI_ACCOUNTS resource-group/account@region"
            )
    others = further_names(chosen)
    if others is None:
        yield error(
            "REALTIME_ENDPOINTS is not a JSON list of endpoints with names (docs/settings.md). "
            "Run: azd env set REALTIME_ENDPOINTS …"
        )
    names = [place.name for place in model_places(chosen)]
    # One of REALTIME_ENDPOINTS with the name of an account adds to it.
    names += [name for name in others or () if name not in names]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield error(
            f"Two endpoints would be called {name}. Name each once in MODEL_LOCATIONS and "
            "EXISTING_AI_ACCOUNTS."
        )
    drained = split_words(chosen["drainedEndpoints"])
    for name in drained:
        if name not in names:
            yield error(
                f"DRAINED_ENDPOINTS: there is no endpoint {name}. There are: {', '.join(names)}"
            )
    if len(names) > 1 and set(names) <= set(drained):
        yield error("DRAINED_ENDPOINTS names every endpoint, so that no call could start.")
    if drained and len(names) == 1:
        yield warning("DRAINED_ENDPOINTS means nothing while there is one endpoint.")


def further_names(chosen: Mapping[str, str]) -> list[str] | None:
    """The names of REALTIME_ENDPOINTS, as the hook before encoded them; None: not a list."""
    try:
        content = json.loads(base64.b64decode(chosen["realtimeEndpointsBase64"]) or b"[]")
        return [str(element["name"]) for element in content]
    except (ValueError, TypeError, KeyError):
        return None
