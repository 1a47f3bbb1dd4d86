"""The gateway as a web application."""

from __future__ import annotations

import argparse
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from aiohttp import web

from local.gateway.auth import Principal, answer, principal_of
from local.gateway.config import NAME, Rule, SiteConfig
from local.gateway.config_parser import ConfigError, read
from local.gateway.proxy import Api, Authorization
from local.gateway.static_files import Site, add_headers, file_response

log = logging.getLogger("gateway")

FILE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


NOBODY = frozenset({"anonymous"})


MESSAGES = {
    400: "The request cannot be understood.",
    401: "You are not signed in.",
    403: "You may not see this.",
    404: "There is nothing here.",
}


class LiveConfig:
    """The site's configuration as the file is now. One that turned wrong is reported once and does
    not count: the last good one stays."""

    def __init__(self, path: Path, origins: Sequence[str]) -> None:
        self._path = path
        self._origins = tuple(origins)
        self._seen = self._stamp()
        self._config = read(path).allowing(self._origins)

    def now(self) -> SiteConfig:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._config = read(self._path).allowing(self._origins)
                log.info("%s read again", NAME)
            except ConfigError as error:
                for reason in error.reasons:
                    log.error("%s (the last good one stays)", reason)
        return self._config

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size


class Gateway:
    """One site and one API. With `roles_on_api` False, nobody needs a role for /api/*."""

    def __init__(self, site: Site, config: LiveConfig, api: Api, *, roles_on_api: bool) -> None:
        self._site = site
        self._config = config
        self._api = api
        self._roles_on_api = roles_on_api

    def make_app(self) -> web.Application:
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:(?s:.*)}", self.answer)
        app.cleanup_ctx.append(self._connected)
        return app

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        await self._api.open()
        yield
        await self._api.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The order is that of the Static Web Apps CLI: refusing rules, then `/.auth`, then roles,
        then redirects, and at last the API or a file."""
        config = self._config.now()
        rule = config.rule_for(request.method, request.path)
        if rule and rule.status in (401, 403, 404):
            return self._error(request, config, rule.status)
        path = rule.rewrite if rule and rule.rewrite else request.raw_path
        if path.startswith("/.auth"):
            return await answer(request, path)
        to_api = path.lower().startswith("/api/")
        if not to_api and request.method not in FILE_METHODS:
            return web.Response(status=405, headers={"Allow": ", ".join(sorted(FILE_METHODS))})
        user = principal_of(request.cookies)
        refusal = self._refusal(rule, user, to_api)
        if refusal:
            return self._error(request, config, refusal)
        if rule and rule.redirect:
            return _redirect(rule.redirect, rule.status)
        if to_api:
            return await self._api.forward(request, _with_query(path, request), user)
        return await self._file(request, config, rule, path.partition("?")[0], user)

    def _refusal(self, rule: Rule | None, user: Principal | None, to_api: bool) -> int | None:
        if rule is None or (to_api and not self._roles_on_api):
            return None
        if rule.admits(frozenset(user.roles) if user else NOBODY):
            return None
        return 403 if user else 401

    async def _file(
        self,
        request: web.Request,
        config: SiteConfig,
        rule: Rule | None,
        path: str,
        user: Principal | None,
    ) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": ", ".join(sorted(FILE_METHODS))})
        file = self._site.find(path)
        if file is None and path != f"/{NAME}" and config.falls_back(path):
            assert config.fallback is not None
            if config.fallback.lower().startswith("/api/"):
                return await self._api.forward(request, _with_query(config.fallback, request), user)
            file = self._site.find(config.fallback)
        if file is None:
            return self._error(request, config, 404)
        return file_response(
            request,
            file,
            status=rule.status if rule and rule.status else 200,
            headers=_merged(config.headers, rule.headers if rule else {}),
            types=config.mime_types,
        )

    def _error(self, request: web.Request, config: SiteConfig, status: int) -> web.Response:
        override = config.overrides.get(status)
        shown = status
        if override:
            if override.redirect:
                here = quote(request.raw_path, safe="")
                target = override.redirect.replace(".referrer", here)
                return _redirect(target, override.status)
            shown = override.status or status
            page = self._site.find(override.rewrite) if override.rewrite else None
            if page:
                return file_response(
                    request, page, status=shown, headers=config.headers, types=config.mime_types
                )
        response = web.Response(status=shown, text=MESSAGES[status] + "\n")
        add_headers(response, config.headers)
        return response


def _redirect(target: str, status: int | None) -> web.Response:
    return web.Response(
        status=status if status and 300 <= status < 400 else 302, headers={"Location": target}
    )


def _with_query(path: str, request: web.Request) -> str:
    """A rewritten path takes the query of the request, unless it brings its own."""
    if "?" in path or not request.query_string:
        return path
    return f"{path}?{request.raw_path.partition('?')[2]}"


def _merged(globally: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """A route's headers over the global ones, whatever the case of their names."""
    merged = {name.lower(): (name, value) for name, value in globally.items()}
    merged.update({name.lower(): (name, value) for name, value in here.items()})
    return dict(merged.values())


def make_app(
    site: Path,
    api: str,
    *,
    roles_on_api: bool = True,
    connect_src: Sequence[str] = (),
    authorization: Authorization = Authorization.REPLACE,
) -> web.Application:
    """The gateway as an aiohttp application. Raises ConfigError for a config it cannot use."""
    files = Site.open(site)
    config = LiveConfig(files.root / NAME, connect_src)
    backend = Api(api, authorization=authorization)
    return Gateway(files, config, backend, roles_on_api=roles_on_api).make_app()


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc or parts.path:
        raise argparse.ArgumentTypeError(f"{text} is not an origin such as http://127.0.0.1:8089")
    return text
