"""Checks the setting that names the storage account, which Functions itself reads too.

The broker cannot say anything while storage is wrong, and the SDK finds out only at the first call.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from shared.config.env import EnvReader, is_host, is_safe_scheme
from shared.config.unusable_values import is_placeholder, is_quoted
from shared.storage.factory import CONNECTION, SERVICES, is_configured

ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
CONNECTION_STRING = (
    "a connection string with AccountName and AccountKey (or a SharedAccessSignature), as the "
    "portal shows it, without quotation marks"
)


def check_storage(read: EnvReader, *, in_azure: bool) -> None:
    """Collects what can never work. On a laptop no account is needed: storage is in memory."""
    text = read.env.get(CONNECTION, "").strip()
    if text:
        check_connection_string(read, text, in_azure=in_azure)
    account = read.env.get(f"{CONNECTION}__accountName", "").strip()
    if account and not ACCOUNT.fullmatch(account):
        read.add_mistake(f"{CONNECTION}__accountName", "the account's bare name")
    check_service_uris(read, in_azure=in_azure and not (text or account))
    # Without shared storage each instance would count for itself, and no limit would hold.
    if in_azure and not is_configured(read.env) and not any_storage_mistake(read):
        read.add_mistake(CONNECTION, "a storage account")


def check_connection_string(read: EnvReader, text: str, *, in_azure: bool) -> None:
    fields = {
        name.strip().lower(): value.strip()
        for name, found, value in (part.partition("=") for part in text.split(";"))
        if found
    }
    if fields.get("usedevelopmentstorage", "").lower() == "true":
        if in_azure:
            read.add_mistake(CONNECTION, f"{CONNECTION_STRING}: the emulator is not there in Azure")
        return
    signed = fields.get("sharedaccesssignature") and any(n.endswith("endpoint") for n in fields)
    keyed = fields.get("accountname") and is_base64(fields.get("accountkey", ""))
    if is_quoted(text) or not (signed or keyed) or is_placeholder(fields.get("accountname", "")):
        read.add_mistake(CONNECTION, CONNECTION_STRING)


def check_service_uris(read: EnvReader, *, in_azure: bool) -> None:
    """Each is its own service's; where one is set in Azure, all three are needed."""
    uris = {kind: read.env.get(f"{CONNECTION}__{kind}ServiceUri", "").strip() for kind in SERVICES}
    for kind, uri in uris.items():
        expected = f"https://<account>.{kind}.core.windows.net"
        if uri and not is_uri_of(kind, uri):
            read.add_mistake(f"{CONNECTION}__{kind}ServiceUri", expected)
        elif not uri and in_azure and any(uris.values()):
            read.add_mistake(f"{CONNECTION}__{kind}ServiceUri", f"{expected}, beside the others")


def is_uri_of(kind: str, uri: str) -> bool:
    """Whether a URI may be that of a storage service of this kind, and is not of another."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    host = parts.hostname or ""
    others = [other for other in SERVICES if other != kind and f".{other}." in host]
    return is_host(host) and is_safe_scheme(parts.scheme, host) and not others


def is_base64(key: str) -> bool:
    try:
        return bool(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        return False


def any_storage_mistake(read: EnvReader) -> bool:
    return any(name.startswith(CONNECTION) for name in read.found)
