"""What the page's element shows, recorded in the page: what shows it briefly is gone before a test
looks from outside, where the machine is busy."""

from __future__ import annotations

from playwright.async_api import Page

CONNECTION = ("#connection", "textContent")
HEADLINE = ("#headline", "textContent")
ACTIVITY = ("[data-activity]", "dataset.activity")

RECORD = """([selector, property]) => {
  const root = document.querySelector('realtime-call').shadowRoot;
  const values = [];
  const look = () => {
    const one = root.querySelector(selector);
    const value = property.split('.').reduce((of, name) => of?.[name], one);
    if (value !== undefined && value !== values.at(-1)) values.push(value);
  };
  window.shown = { ...window.shown, [selector]: values };
  look();
  const all = { attributes: true, characterData: true, childList: true, subtree: true };
  new MutationObserver(look).observe(root, all);
}"""


async def record(page: Page, part: tuple[str, str]) -> None:
    """Begins, with what is shown now; anew if it was recorded before."""
    await page.evaluate(RECORD, list(part))


async def until_shown(page: Page, part: tuple[str, str], value: str) -> None:
    """Returns when it is shown, or has been since `record`."""
    has_shown = "([selector, value]) => shown[selector].includes(value)"
    await page.wait_for_function(has_shown, arg=[part[0], value])
