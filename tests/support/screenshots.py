"""Screenshots of every view: `python -m tests.support.screenshots FOLDER [VIEW ...]`.

They are to be looked at. Each view is shown in four languages, light and dark, wide and on a phone;
in English also from right to left and with text at 200 %. It starts the stack and needs Chromium.
What is wrong with a view by `accessibility.faults` is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from playwright.async_api import Browser, Page

from local.stack import Stack
from tests.support import accessibility, chromium, views
from tests.support.patience import PATIENCE
from tests.support.voice import silence

LANGUAGES: Final = ("en", "es", "ru", "zh")
SIZES: Final = {"wide": (1280, 800), "phone": (390, 844)}
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
FLOWS: Final = (
    *(views.of_a_call, views.of_problems),
    *(views.of_the_diagnosis, views.of_the_desk),
)


@asynccontextmanager
async def page_in(browser: Browser, language: str, mark: str) -> AsyncIterator[Page]:
    """A page of somebody who reads this language, mirrored or with large text."""
    context = await browser.new_context(locale=language)
    page = await context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    await views.prepare(page)
    if mark == "rtl":
        await views.mirror(page)
    if mark == "200":
        await page.add_init_script(accessibility.LARGE_TEXT)
    yield page
    await context.close()


async def shoot(page: Page, view: views.View, folder: Path, name: str) -> list[str]:
    """The view in each size and theme, one that passes in two of them. Gives what is wrong."""
    faults: list[str] = []
    looks = list(product(THEMES, SIZES.items()))
    for theme, (size, (width, height)) in looks[:: 3 if view.passes else 1]:
        await page.emulate_media(color_scheme=theme)
        await page.set_viewport_size({"width": width, "height": height})
        await accessibility.settle(page)
        picture = f"{view.name}-{name}-{theme}-{size}.png"
        await page.screenshot(path=folder / picture)
        faults += [f"{picture}: {fault}" for fault in await accessibility.faults(page)]
    return faults


async def main(folder: Path, only: frozenset[str]) -> int:
    """Returns the number of faults found."""
    number = 0
    variants = [(language, "") for language in LANGUAGES] + [("en", "rtl"), ("en", "200")]
    settings = {"LIMIT_STARTS_PER_MINUTE": "0", "TRANSCRIPTS": "on"}
    with TemporaryDirectory() as scratch:
        quiet = silence(Path(scratch) / "silence.wav")
        async with Stack(env=settings) as stack, chromium.hearing(quiet) as browser:
            for language, mark in variants:
                name = f"{language}-{mark}" if mark else language
                async with page_in(browser, language, mark) as page:
                    for flow in FLOWS:
                        async for view in flow(page, stack.url):
                            if only and view.name not in only:
                                continue
                            for fault in await shoot(page, view, folder, name):
                                number += 1
                                sys.stdout.write(f"{fault}\n")
    return number


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("view", nargs="*")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sys.exit(1 if asyncio.run(main(options.folder, frozenset(options.view))) else 0)
