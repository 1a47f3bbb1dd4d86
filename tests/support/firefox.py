"""A real Firefox, driven over WebDriver BiDi, which it speaks without a driver.

async with firefox.running(profile_folder) as browser:
    page = await browser.open_page("https://example.com/")
    title = await page.evaluate("async () => document.title")
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.support.bidi import Connection, connected
from tests.support.patience import PATIENCE

NAMES: Final = ("firefox", "firefox-esr")
PLACES: Final = (
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:/Program Files/Mozilla Firefox/firefox.exe",
)
MISSING: Final = "no Firefox on this machine (Debian: apt-get install firefox-esr)"
LISTENING: Final = "WebDriver BiDi listening on "

PREFERENCES: Final[dict[str, bool | int | str]] = {
    # A microphone without a device or a question: a tone.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # Speakers without a device: without any, no AudioContext ever runs.
    "media.cubeb.force_mock_context": True,
    # No traffic of its own, and no first-run pages.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


def executable() -> str | None:
    """The first Firefox of this machine."""
    on_path = (shutil.which(name) for name in NAMES)
    placed = (place for place in PLACES if Path(place).is_file())
    return next((found for found in on_path if found), None) or next(placed, None)


class NotUsable(Exception):
    """The Firefox of this machine ends before it can be driven; the text is what it said."""


@asynccontextmanager
async def running(profile: Path) -> AsyncIterator[Connection]:
    """A Firefox with a new profile in this folder, and a tone for a microphone."""
    found = executable()
    assert found is not None, MISSING
    lines = (
        f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
        for name, value in PREFERENCES.items()
    )
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        found,
        *("--headless", "--no-remote", "--remote-debugging-port", "0"),
        # Preferences are changed while it runs.
        "--remote-allow-system-access",
        *("--profile", str(profile)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(profile), "MOZ_HEADLESS": "1"},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            url = await listening_url(process)
        drain = asyncio.create_task(read_on(process))
        async with connected(url) as browser:
            yield browser
        async with asyncio.timeout(PATIENCE):
            await process.wait()
            await drain
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def listening_url(process: asyncio.subprocess.Process) -> str:
    """The address that Firefox prints once it can be driven. Raises NotUsable."""
    assert process.stderr is not None
    said = []
    async for line in process.stderr:
        said.append(line.decode("utf-8", "replace"))
        if LISTENING in said[-1]:
            return said[-1].partition(LISTENING)[2].strip()
    raise NotUsable(f"Firefox does not start here: {''.join(said)[-500:]}")


async def read_on(process: asyncio.subprocess.Process) -> None:
    """Reads what Firefox still says, so that it never waits for us."""
    assert process.stderr is not None
    async for _ in process.stderr:
        pass
