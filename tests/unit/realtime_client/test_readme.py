"""The examples of the README are Python, and use what the package has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import realtime_client

README = Path(realtime_client.__file__).parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_compiles_and_imports_what_there_is(example: str) -> None:
    tree = ast.parse(example)
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {a.name for node in imported if node.module == "realtime_client" for a in node.names}
    assert names
    assert names <= set(realtime_client.__all__)


def test_the_example_of_a_test_is_one() -> None:
    (example,) = (text for text in EXAMPLES if "MockTransport" in text)
    exec(compile(example, str(README), "exec"), {})


def test_every_method_is_in_a_table() -> None:
    text = README.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)", text, re.M))
    for client in (realtime_client.Broker, realtime_client.Admin):
        plain = {name for name in vars(client) if not name.startswith("_")}
        assert plain - {"close", "run", "send", "changes"} <= rows
