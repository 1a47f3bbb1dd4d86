"""The header in which Static Web Apps tells an app who is signed in."""

from __future__ import annotations

import base64
import json
from typing import Any


def encode_principal(content: Any) -> str:
    """The header's value for a principal; text is encoded as it is."""
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.b64encode(text.encode()).decode()


def principal_header(content: Any) -> dict[str, str]:
    """The header, in lower case, as the broker's own code gets it."""
    return {"x-ms-client-principal": encode_principal(content)}


def signed_in(user: str, *roles: str, **changes: Any) -> dict[str, str]:
    """The header of a signed-in user with `roles` besides the two that everybody has."""
    content = {
        "identityProvider": "aad",
        "userId": user,
        "userDetails": user,
        "userRoles": ["anonymous", "authenticated", *roles],
    }
    return principal_header(content | changes)
