"""A local stand-in for Key Vault secrets over TLS, for tests and experiments.

    python -m local.azure.key_vault --ca ca.pem --secret NAME=VALUE

The SDK accepts it with `verify_challenge_resource=False` and `connection_verify="ca.pem"`, or with
REQUESTS_CA_BUNDLE=ca.pem in the environment. It implements the part of the secrets API 7.x that
azure-keyvault-secrets 4.12 uses: get (with and without a version), set, list and delete. Its
certificate and authority are created at start-up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import re
import secrets
import ssl
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import trustme
from aiohttp import web
from aiohttp.typedefs import Handler

from local.azure.managed_identity import TENANT
from realtime_emulator.serving import server
from realtime_emulator.serving.application import Runner, make_application
from realtime_emulator.serving.trusted_hosts import TrustedHosts

logger = logging.getLogger(__name__)
DEFAULT_PORT = 8444
CHALLENGE = (
    f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", '
    'resource="https://vault.azure.net"'
)
SECRET_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret; `created` is in seconds since 1970."""

    id: str
    value: str
    created: int


@dataclass(slots=True)
class Secrets:
    """The vault's contents.

    While `status` is set, every request is answered with it (503 or 403, for example). `reads`
    counts the secret values that were returned.
    """

    status: int | None = None
    reads: int = 0
    versions: dict[str, list[Version]] = field(default_factory=dict)

    def set(self, name: str, value: str) -> Version:
        """Adds a version, which becomes the current one."""
        version = Version(secrets.token_hex(16), value, int(time.time()))
        self.versions.setdefault(name.lower(), []).append(version)
        return version

    def remove(self, name: str) -> None:
        self.versions.pop(name.lower(), None)

    def find(self, name: str, version: str = "") -> Version | None:
        """The given version of a secret, or its current one."""
        known = self.versions.get(name.lower(), [])
        return next((v for v in reversed(known) if version in ("", v.id)), None)


@dataclass(frozen=True, slots=True)
class VaultApi:
    """The REST API of the vault that holds `held`."""

    held: Secrets

    @web.middleware
    async def authorize_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets requests with a bearer token through, unless the vault is set to fail."""
        if self.held.status:
            return error_response(self.held.status, "Unavailable", "The configured failure.")
        # The SDK sends its first request without a token or body, to learn which authority to ask.
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            answer = error_response(401, "Unauthorized", "AKV10000: there is no bearer token.")
            answer.headers["WWW-Authenticate"] = CHALLENGE
            return answer
        return await handler(request)

    async def get_secret(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        version = self.held.find(name, request.match_info.get("version", ""))
        if version is None:
            return secret_not_found(name)
        self.held.reads += 1
        return web.json_response(secret_bundle(request, name, version, value=True))

    async def set_secret(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        value = await read_value(request)
        if not SECRET_NAME.fullmatch(name) or value is None:
            return error_response(400, "BadParameter", "The name or the value is invalid.")
        version = self.held.set(name, value)
        return web.json_response(secret_bundle(request, name, version, value=True))

    async def delete_secret(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        version = self.held.find(name)
        if version is None:
            return secret_not_found(name)
        self.held.remove(name)
        return web.json_response(secret_bundle(request, name, version, value=False))

    async def list_secrets(self, request: web.Request) -> web.Response:
        known = [(name, self.held.find(name)) for name in sorted(self.held.versions)]
        values = [secret_bundle(request, name, v, value=False) for name, v in known if v]
        return web.json_response({"value": values, "nextLink": None})


def make_app(held: Secrets, trusted: TrustedHosts | None = None) -> web.Application:
    """The vault as an aiohttp application that serves the secrets in `held`."""
    api = VaultApi(held)
    app = make_application(refuse, trusted=trusted, middlewares=[api.authorize_request])
    app.router.add_get("/secrets", api.list_secrets)
    app.router.add_get("/secrets/{name}/{version:.*}", api.get_secret)
    app.router.add_get("/secrets/{name}", api.get_secret)
    app.router.add_put("/secrets/{name}", api.set_secret)
    app.router.add_delete("/secrets/{name}", api.delete_secret)
    return app


async def read_value(request: web.Request) -> str | None:
    """The `value` in the body of a request; None if it has none."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        return None
    value = body.get("value") if isinstance(body, dict) else None
    return value if isinstance(value, str) else None


def secret_bundle(
    request: web.Request, name: str, version: Version, *, value: bool
) -> dict[str, object]:
    bundle: dict[str, object] = {
        "id": f"https://{request.host}/secrets/{name}/{version.id}",
        "attributes": {"enabled": True, "created": version.created, "updated": version.created},
    }
    return bundle | ({"value": version.value} if value else {})


def error_response(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def refuse(status: int, reason: str) -> web.Response:
    return error_response(status, "BadParameter" if status < 500 else "InternalError", reason)


def secret_not_found(name: str) -> web.Response:
    return error_response(404, "SecretNotFound", f"A secret with (name/id) {name} was not found.")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A TLS context for localhost and 127.0.0.1, and the authority that issued its certificate."""

    authority: trustme.CA
    tls: ssl.SSLContext

    @classmethod
    def make(cls) -> Certificate:
        authority = trustme.CA(organization_name="local vault")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
        return cls(authority, tls)


class LocalKeyVault:
    """A running vault, as an async context manager.

    `url` is its address and `secrets` its contents. `go_offline` and `go_online` stop and restart
    it at the same address.
    """

    def __init__(self, ca: Path, *, port: int = 0) -> None:
        """Writes the authority's certificate to `ca`, for `connection_verify`."""
        self.secrets = Secrets()
        self.ca = ca
        self.url = ""
        self.port = port
        self.certificate = Certificate.make()
        self.runner: web.AppRunner | None = None

    async def __aenter__(self) -> LocalKeyVault:
        self.certificate.authority.cert_pem.write_to_path(str(self.ca))
        await self.go_online()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.go_offline()

    async def go_offline(self) -> None:
        """Aborts the connections and refuses new ones."""
        if self.runner is None:
            return
        runner, self.runner = self.runner, None
        # Aborted, because a graceful TLS close waits for the peer.
        for connection in runner.server.connections if runner.server else ():
            if connection.transport:
                connection.transport.abort()
        await runner.cleanup()

    async def go_online(self) -> None:
        if self.runner is None:
            runner = Runner(make_app(self.secrets), access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            self.runner = runner
            self.url = await server.listen(runner, server.LOOPBACK, self.port, self.certificate.tls)
            self.port = int(self.url.rpartition(":")[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.azure.key_vault",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server.add_arguments(parser, port=DEFAULT_PORT)
    parser.add_argument(
        "--ca", type=Path, required=True, help="file to write the CA certificate to"
    )
    parser.add_argument("--secret", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    server.log_to_stderr(options.log)
    held, certificate = Secrets(), Certificate.make()
    for pair in options.secret:
        name, equals, value = pair.partition("=")
        if not equals or not SECRET_NAME.fullmatch(name):
            return server.refuse("vault", "--secret must be NAME=VALUE.")
        held.set(name, value)
    certificate.authority.cert_pem.write_to_path(str(options.ca))
    app = make_app(held, server.trusted_hosts(options))
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(server.serve("vault", app, options, tls=certificate.tls))
    return 0


if __name__ == "__main__":
    server.finish(main(sys.argv[1:]))
