"""What is wrong with a view of a page, in shadow trees too: axe-core, touch targets, width."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.async_api import Page

from tests.support.node import package_file

TARGET = 44
"""The minimum height of a touch target, in CSS pixels."""

FINDINGS = """async (rules) => (await axe.run({
  resultTypes: ['violations'],
  ...(rules.length ? { runOnly: rules } : {}),
})).violations.map(
  ({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.html).join(' ')}`)"""

EVERYTHING = """const all = (root) => [...root.querySelectorAll('*')].flatMap(
  (one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
const shown = all(document).filter((one) => one.checkVisibility({ visibilityProperty: true }));"""

SMALL_TARGETS = f"""() => {{ {EVERYTHING}
  const hidden = (one) => one.getBoundingClientRect().width <= 1;
  const controls = 'button, a[href], summary, select, input, textarea, label:has(input)';
  return shown
    .filter((one) => one.matches(controls) && !one.matches('label input, p a') && !hidden(one))
    .filter((one) => one.getBoundingClientRect().height < {TARGET})
    .map((one) => `${{one.getBoundingClientRect().height}}: ${{one.outerHTML.slice(0, 200)}}`);
}}"""
"""Controls that are lower than a fingertip. A link inside a sentence may be."""

CUT_OFF = f"""() => {{ {EVERYTHING}
  const page = document.documentElement;
  const found = page.scrollWidth > page.clientWidth ? ['the page scrolls sideways'] : [];
  const controls = shown.filter((one) => one.matches('button, a[href], summary, select, input'));
  for (const one of controls) {{
    const box = one.getBoundingClientRect();
    if (box.width <= 1) continue;
    const outside = box.left < -1 || box.right > page.clientWidth + 1;
    if (outside) found.push(`outside: ${{one.outerHTML}}`);
    const clips = one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0;
    if (clips && one.matches('button, a, summary')) found.push(`clipped: ${{one.outerHTML}}`);
  }}
  return found;
}}"""
"""What does not fit: the page into the window, a control into the page, a word into its control."""


LARGE_TEXT = """addEventListener('DOMContentLoaded', () => {
  document.documentElement.style.fontSize = '200%';
});"""
"""As the browser's setting for text at 200 %: a script for before the page's own."""


def axe() -> str:
    """The script of axe-core. Raises NotHere."""
    return package_file("axe-core", "axe.min.js").read_text(encoding="utf-8")


async def load_axe(page: Page) -> None:
    """Puts axe-core into a page, once. Raises NotHere."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(axe())


SETTLED = f"""async () => {{
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  {EVERYTHING}
  const roots = [document, ...shown.map((one) => one.shadowRoot).filter(Boolean)];
  const moving = roots.flatMap((root) => root.getAnimations())
    .filter((one) => one.effect.getComputedTiming().endTime < 2000);
  await Promise.allSettled(moving.map((one) => one.finished));
}}"""


async def settle(page: Page) -> None:
    """Waits for what fades or slides into its place: half faded, it has no contrast."""
    await page.evaluate(SETTLED)


async def faults(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Everything that is wrong with what is shown now, by all rules of axe-core or by these.

    Raises NotHere without axe-core.
    """
    await load_axe(page)
    await settle(page)
    found: list[str] = await page.evaluate(FINDINGS, list(rules))
    for look in (SMALL_TARGETS, CUT_OFF):
        found += await page.evaluate(look)
    return found
