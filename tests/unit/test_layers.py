"""Imports: shared/ only down the list of its packages, local/ and the emulator without a cycle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# shared/__init__.py says what each is for.
ORDER = [
    *("api", "broker", "admin", "observer", "calls", "realtime", "live", "sideband"),
    *("upstream", "auth", "limits"),
    *("credentials", "config", "recordings", "transcripts", "storage", "tools", "usage", "core"),
]
MODULES = sorted((ROOT / "shared").rglob("*.py"))
OURS = ("shared", "local", "realtime_emulator", "realtime_client", "function_app")


def package_of(module: Path) -> str:
    """The package of `shared` that a file belongs to; a module's own name where it has none."""
    return module.relative_to(ROOT / "shared").with_suffix("").parts[0]


def imported_packages(module: Path) -> set[str]:
    """The packages of the project that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide the package"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name for name in names if name.split(".")[0] in OURS}
    return {name.split(".")[1] if name.startswith("shared.") else name for name in found}


def test_the_order_names_every_package() -> None:
    there = {package_of(module) for module in MODULES} - {"__init__"}
    assert there == set(ORDER)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(module: Path) -> None:
    if module == ROOT / "shared" / "__init__.py":
        assert imported_packages(module) == set()
        return
    here = ORDER.index(package_of(module))
    climbing = imported_packages(module) - set(ORDER[here:])
    assert not climbing, f"{module.relative_to(ROOT)} imports from above: {sorted(climbing)}"


def name_of(module: Path) -> str:
    parts = module.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(module: Path, known: set[str]) -> set[str]:
    """The modules among `known` that a file imports, for type checking and inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide the module"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & known or {str(node.module)}
    return found & known


@pytest.mark.parametrize("folder", ["local", "realtime_emulator", "realtime_client"])
def test_there_is_no_import_cycle(folder: str) -> None:
    modules = {name_of(path): path for path in (ROOT / folder).rglob("*.py")}
    graph = {name: imported_modules(path, set(modules)) for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_the_broker_imports_nothing_that_stays_on_the_laptop() -> None:
    for module in [ROOT / "function_app.py", *MODULES]:
        names = imported_packages(module)
        climbing = {name for name in names if name.startswith(("local", "realtime_"))}
        assert not climbing, f"{module.relative_to(ROOT)} imports {sorted(climbing)}"


@pytest.mark.parametrize("folder", ["realtime_emulator", "realtime_client"])
def test_a_package_of_its_own_stands_alone(folder: str) -> None:
    """It is installed without the rest."""
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules
    for module in modules:
        names = imported_packages(module)
        others = {name for name in names if not name.startswith(f"{folder}.")}
        assert not others, f"{module.relative_to(ROOT)} imports {sorted(others)}"


APIS = ("realtime", "live")
CHOOSES = "shared.observer.conversations"


def apis_of(name: str) -> set[str]:
    """The voice APIs that a module is about, by its package."""
    parts = name.split(".")
    return {api for api in APIS if parts[1:2] == [api] or parts[1:3] == ["observer", api]}


def test_the_voice_apis_know_nothing_of_each_other() -> None:
    """Neither does what every run of an observer does, nor what their sidebands share."""
    modules = {name_of(path): path for path in MODULES}
    for name, path in modules.items():
        package = name.split(".")[1:2]
        if name == CHOOSES or package not in (["realtime"], ["live"], ["observer"], ["sideband"]):
            continue
        known = set().union(*map(apis_of, imported_modules(path, set(modules))))
        assert known <= apis_of(name), f"{name} knows of {sorted(known - apis_of(name))}"


def test_nothing_draws_from_the_generator_that_a_guest_app_may_seed() -> None:
    importing = {
        module.name
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(each.name == "random" for each in node.names)
    }
    assert importing == {"chance.py"}
