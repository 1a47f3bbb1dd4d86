"""The npm package: packed, installed into a bare project, type-checked, bundled, called with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route

from local.stack import Stack
from tests.browser.conftest import ELSEWHERE, Hearing
from tests.support import node
from tests.support.chromium import probed_page
from tests.support.emulated import Emulator

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
NAME = "@realtime-token-broker/realtime-call"

USES = f"""
import {{ createCall, explain, RealtimeCall, type CaptionLine }} from '{NAME}';
import {{ RealtimeCallElement }} from '{NAME}/element';
import {{ diagnose }} from '{NAME}/diagnosis';

const call: RealtimeCall = createCall({{ broker: 'https://broker.example.com', mode: 'connect' }});
call.on('caption', (lines: readonly CaptionLine[]) => lines.map(({{ who, text }}) => who + text));
call.on('problem', (problem) => explain(problem).advice.trim());
const state: string = (await call.start()).status;
const element: RealtimeCallElement | null = document.querySelector('realtime-call');
const slow: number[] = (await diagnose()).map(({{ ms }}) => ms);
console.log(state, element, slow);

// @ts-expect-error There is no such mode.
createCall({{ mode: 'telepathy' }});
// @ts-expect-error There is no such event.
call.on('whisper', () => undefined);
"""

BUNDLED = f"""
import {{ createCall, explain }} from '{NAME}';
import '{NAME}/element';
Object.assign(globalThis, {{ createCall, explain }});
"""

CALL = """async ([broker]) => {
  const call = createCall({ broker });
  const answered = new Promise((resolve) =>
    call.on('caption', (lines) => {
      const found = lines.find(({ who, text }) => who === 'assistant' && text.endsWith('today?'));
      if (found) resolve(found.text);
    }),
  );
  const { status, problem } = await call.start();
  if (status !== 'live') return [status, problem?.code];
  await call.sendText('hello');
  const said = await answered;
  await call.stop();
  return [status, said, typeof customElements.get('realtime-call')];
}"""


def run(*command: str | Path, cwd: Path) -> str:
    env = {**os.environ, "npm_config_update_notifier": "false", "npm_config_offline": "true"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def npm_file(package: str, file: str) -> Path:
    try:
        return node.package_file(package, file)
    except node.NotHere as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare project with the package installed, as npm would have packed and published it."""
    npm_file("typescript", "bin/tsc")
    npm = shutil.which("npm") or pytest.skip("npm is not on the PATH")
    top = tmp_path_factory.mktemp("package")
    shutil.copytree(FRONTEND, top / "frontend", ignore=shutil.ignore_patterns("types"))
    (top / "tests").mkdir()
    (top / "tests" / "npm").symlink_to(ROOT / "tests" / "npm", target_is_directory=True)
    project = top / "project"
    project.mkdir()
    (project / "package.json").write_text('{"name": "bare", "type": "module"}', encoding="utf-8")
    run(npm, "pack", "--pack-destination", project, cwd=top / "frontend")
    (archive,) = project.glob("*.tgz")
    run(npm, "install", "--no-audit", "--no-fund", f"./{archive.name}", cwd=project)
    return project


def installed(project: Path) -> Path:
    return project / "node_modules" / NAME


def test_the_package_has_what_a_call_needs_and_nothing_else(project: Path) -> None:
    folder = installed(project)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"index.js", "element/index.js", "diagnosis/diagnosis.js", "README.md"} <= files
    assert {"types/index.d.ts", "languages/zh/call.js"} <= files
    assert not [name for name in files if "admin" in name or name in {"app.js", "index.html"}]
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    assert not manifest.keys() & {"dependencies", "peerDependencies"}


@pytest.mark.parametrize("module", ["nodenext", "esnext"])
def test_its_types_resolve_in_a_strict_project(module: str, project: Path) -> None:
    (project / "uses.ts").write_text(USES, encoding="utf-8")
    resolution = "nodenext" if module == "nodenext" else "bundler"
    tsc = npm_file("typescript", "bin/tsc")
    options = ("--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable")
    modules = ("--module", module, "--moduleResolution", resolution, "--types", "")
    run(node.node(), tsc, *options, *modules, "uses.ts", cwd=project)


def test_importing_it_changes_nothing_and_needs_no_browser(project: Path) -> None:
    script = f"""
      const before = Object.getOwnPropertyNames(globalThis).length;
      const names = Object.keys(await import('{NAME}')).sort();
      console.log(JSON.stringify([names, Object.getOwnPropertyNames(globalThis).length - before]));
    """
    printed = run(node.node(), "--input-type=module", "--eval", script, cwd=project)
    assert json.loads(printed) == [["CallProblem", "RealtimeCall", "createCall", "explain"], 0]


def bundle(project: Path) -> Path:
    (project / "bundled.js").write_text(BUNDLED, encoding="utf-8")
    esbuild = npm_file("esbuild", "bin/esbuild")
    options = ("--bundle", "--format=esm", "--outfile=out.js", "--log-level=warning")
    printed = run(node.node(), esbuild, "bundled.js", *options, cwd=project)
    assert printed == "", "a warning"
    return project / "out.js"


async def open_page(page: Page, files: dict[str, Path | str]) -> None:
    """A page of another origin that consists of these files."""

    async def serve(route: Route) -> None:
        path = route.request.url.removeprefix(f"{ELSEWHERE}/")
        found: Any = files.get(path) or files["*"] / path  # type: ignore[operator]
        if isinstance(found, str):
            await route.fulfill(body=found, content_type="text/html")
        else:
            await route.fulfill(path=found)

    await page.route(f"{ELSEWHERE}/**", serve)
    await page.goto(f"{ELSEWHERE}/page.html")
    await page.wait_for_function("() => globalThis.createCall")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_bundle_and_a_plain_page_hold_calls(
    project: Path, stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    head = "<!doctype html><title>Another site</title>"
    plain = f"""{head}<script type="importmap">{{ "imports": {{
      "{NAME}": "/node_modules/{NAME}/index.js",
      "{NAME}/element": "/node_modules/{NAME}/element/index.js" }} }}</script>
      <script type="module">{BUNDLED}</script>"""
    pages: list[dict[str, Path | str]] = [
        {
            "page.html": f'{head}<script type="module" src="/out.js"></script>',
            "*": bundle(project).parent,
        },
        {"page.html": plain, "*": project},
    ]
    async with hearing("silence") as browser:
        for files in pages:
            page = await probed_page(browser)
            await open_page(page, files)
            status, said, registered = await page.evaluate(CALL, [stack.url])
            assert (status, registered) == ("live", "function")
            assert said == "Hello! How can I help you today?"
            await emulator.live_calls(0)
            await page.close()
