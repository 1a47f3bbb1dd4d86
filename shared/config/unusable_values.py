"""Values that no setting can have: what a deployment left unfilled, or what a shell left over.

App Service hands a reference that it cannot resolve to the app as the setting's own text, and
templates leave their placeholders when a variable is missing. Such a value looks like any other
text, so each would start an app that answers everybody with the same refusal.
"""

from __future__ import annotations

import re

REFERENCE = re.compile(r"@Microsoft\.(KeyVault|AppConfiguration)\s*\(", re.IGNORECASE)
TEMPLATE = re.compile(
    r"\$\{[^{}]{1,200}\}|\$\([^()]{1,200}\)|#\{[^{}]{1,200}\}#?|\{\{[^{}]{1,200}\}\}|%\w{1,200}%"
)
BRACKETS = re.compile(r"<[^<>]{0,200}>|\{[^{}]{0,200}\}")
PLACEHOLDER = re.compile(
    r"(?:https?://)?your[-_ ].*|replace[-_ ](?:me|this|with)\b.*|(?:insert|enter|put)[-_ ].*here|"
    r"x{3,}|\.{3}|…|change[-_ ]?me|placeholder|to[-_ ]?do|tbd|none|null|undefined",
    re.IGNORECASE,
)
CURLY = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
QUOTES = re.compile(rf"""(["'`]).*\1|[{CURLY}].*[{CURLY}]""", re.DOTALL)
"""Straight ones, and those that a word processor makes of them."""
IDENTITY = "the reference's secret name and version, and that the app's identity may read it"
UNRESOLVED = {
    "keyvault": "a resolved Key Vault reference: the platform could not read the secret. Check "
    + IDENTITY
    + " (Key Vault Secrets User; keyVaultReferenceIdentity for a user-assigned one), and the "
    "vault's network rules",
    "appconfiguration": "a resolved App Configuration reference: the platform could not read the "
    "key. Check the store's name, the key, and that the app's identity may read it",
}


def unresolved_reference(value: str) -> str | None:
    """What was expected instead of a reference that the platform did not resolve; None if `value`
    has none."""
    found = REFERENCE.search(value)
    return UNRESOLVED[found[1].lower()] if found else None


def unfilled(value: str) -> str | None:
    """What was expected instead of a reference or a template's variable; None for other text."""
    if (expected := unresolved_reference(value)) is not None:
        return expected
    if BRACKETS.fullmatch(value) and value.startswith("<"):
        return "the value itself: this is a placeholder"
    if TEMPLATE.fullmatch(value):
        return "the value itself: this is a template's variable that nothing has filled in"
    return None


def is_quoted(value: str) -> bool:
    """Whether the value has quotation marks around it, which no shell or file took off."""
    return QUOTES.fullmatch(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether the value is one to fill in, like `<resource>` and `your-resource`."""
    found = BRACKETS.search(value) or TEMPLATE.search(value) or PLACEHOLDER.fullmatch(value)
    return found is not None
