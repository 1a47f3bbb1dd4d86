"""The order of the packages in shared/: each imports only from those further down the list."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# shared/__init__.py says what each is for. `live` is absent until it has code.
ORDER = [
    *("api", "broker", "admin", "observer", "calls", "realtime", "upstream", "auth", "limits"),
    *("credentials", "config", "transcripts", "storage", "tools", "usage", "core"),
]
MODULES = sorted((ROOT / "shared").rglob("*.py"))


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
        found |= {
            name for name in names if name.split(".")[0] in ("shared", "local", "function_app")
        }
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
