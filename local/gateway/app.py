"""The gateway as an aiohttp application: routing rules, roles, files and the API."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from local.gateway.auth import Principal, handle_auth_request, principal_from_cookies
from local.gateway.config import CONFIG_FILE, Rule, SiteConfig
from local.gateway.config_parser import SiteConfigError, read_site_config
from local.gateway.proxy import ApiProxy, Authorization
from local.gateway.static_files import Site, add_headers, file_response
from realtime_emulator.serving.application import make_application
from realtime_emulator.serving.trusted_hosts import TrustedHosts

logger = logging.getLogger(__name__)

FILE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ANONYMOUS_ROLES = frozenset({"anonymous"})
ERROR_TEXTS = {
    400: "Bad request.",
    401: "You are not signed in.",
    403: "You do not have access.",
    404: "Not found.",
}


class LiveConfig:
    """The site's configuration, reloaded when the file changes.

    An invalid version is logged once and ignored: the last valid one stays in effect.
    """

    def __init__(self, path: Path, origins: Sequence[str]) -> None:
        self.path = path
        self.origins = tuple(origins)
        self.seen = self.file_stamp()
        self.config = read_site_config(path).allow_connections_to(self.origins)

    def current(self) -> SiteConfig:
        stamp = self.file_stamp()
        if stamp != self.seen:
            self.seen = stamp
            try:
                self.config = read_site_config(self.path).allow_connections_to(self.origins)
                logger.info("%s reloaded", CONFIG_FILE)
            except SiteConfigError as error:
                for reason in error.reasons:
                    logger.error("%s (keeping the last valid configuration)", reason)
        return self.config

    def file_stamp(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size


class Gateway:
    """Serves one site and one API. With `roles_on_api` False, /api/* requires no role.

    It answers to the names of this machine and to `trusted`.
    """

    def __init__(
        self,
        site: Site,
        config: LiveConfig,
        api: ApiProxy,
        *,
        roles_on_api: bool,
        trusted: TrustedHosts | None = None,
    ) -> None:
        self.site = site
        self.config = config
        self.api = api
        self.roles_on_api = roles_on_api
        self.trusted = trusted or TrustedHosts()

    def make_app(self) -> web.Application:
        app = make_application(refuse, trusted=self.trusted, client_max_size=0)
        app.router.add_route("*", "/{path:(?s:.*)}", self.handle_request)
        app.cleanup_ctx.append(self.run_api_client)
        return app

    async def run_api_client(self, _: web.Application) -> AsyncIterator[None]:
        await self.api.open()
        yield
        await self.api.close()

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answers a request.

        The order is the Static Web Apps CLI's: rules that refuse, then `/.auth`, then roles, then
        redirects, and finally the API or a file.
        """
        config = self.config.current()
        rule = config.rule_for(request.method, request.path)
        if rule and rule.status in (401, 403, 404):
            return self.error_response(request, config, rule.status)
        path = rule.rewrite if rule and rule.rewrite else request.raw_path
        if path.startswith("/.auth"):
            return await handle_auth_request(request, path, self.trusted)
        to_api = path.lower().startswith("/api/")
        if not to_api and request.method not in FILE_METHODS:
            return web.Response(status=405, headers={"Allow": ", ".join(sorted(FILE_METHODS))})
        user = principal_from_cookies(request.cookies)
        refusal = self.refusal_status(rule, user, to_api)
        if refusal:
            return self.error_response(request, config, refusal)
        if rule and rule.redirect:
            return redirect_response(rule.redirect, rule.status)
        if to_api:
            return await self.api.forward(request, with_request_query(path, request), user)
        return await self.serve_file(request, config, rule, path.partition("?")[0], user)

    def refusal_status(self, rule: Rule | None, user: Principal | None, to_api: bool) -> int | None:
        if rule is None or (to_api and not self.roles_on_api):
            return None
        if rule.admits(frozenset(user.roles) if user else ANONYMOUS_ROLES):
            return None
        return 403 if user else 401

    async def serve_file(
        self,
        request: web.Request,
        config: SiteConfig,
        rule: Rule | None,
        path: str,
        user: Principal | None,
    ) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": ", ".join(sorted(FILE_METHODS))})
        file = self.site.find_file(path)
        if file is None and path != f"/{CONFIG_FILE}" and config.falls_back(path):
            assert config.fallback is not None
            if config.fallback.lower().startswith("/api/"):
                return await self.api.forward(
                    request, with_request_query(config.fallback, request), user
                )
            file = self.site.find_file(config.fallback)
        if file is None:
            return self.error_response(request, config, 404)
        return file_response(
            request,
            file,
            status=rule.status if rule and rule.status else 200,
            headers=merge_headers(config.headers, rule.headers if rule else {}),
            types=config.mime_types,
        )

    def error_response(self, request: web.Request, config: SiteConfig, status: int) -> web.Response:
        override = config.overrides.get(status)
        shown = status
        if override:
            if override.redirect:
                here = quote(request.raw_path, safe="")
                target = override.redirect.replace(".referrer", here)
                return redirect_response(target, override.status)
            shown = override.status or status
            page = self.site.find_file(override.rewrite) if override.rewrite else None
            if page:
                return file_response(
                    request, page, status=shown, headers=config.headers, types=config.mime_types
                )
        response = web.Response(status=shown, text=ERROR_TEXTS[status] + "\n")
        add_headers(response, config.headers)
        return response


def refuse(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=f"{reason}\n")


def redirect_response(target: str, status: int | None) -> web.Response:
    return web.Response(
        status=status if status and 300 <= status < 400 else 302, headers={"Location": target}
    )


def with_request_query(path: str, request: web.Request) -> str:
    """`path` with the query of the request, unless it has a query of its own."""
    if "?" in path or not request.query_string:
        return path
    return f"{path}?{request.raw_path.partition('?')[2]}"


def merge_headers(globally: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """The global headers, overridden by the route's. Names are compared case-insensitively."""
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
    trusted: TrustedHosts | None = None,
) -> web.Application:
    """Creates the gateway. Raises SiteConfigError if the site's configuration is invalid."""
    files = Site.open(site)
    config = LiveConfig(files.root / CONFIG_FILE, connect_src)
    backend = ApiProxy(api, authorization=authorization)
    gateway = Gateway(files, config, backend, roles_on_api=roles_on_api, trusted=trusted)
    return gateway.make_app()
