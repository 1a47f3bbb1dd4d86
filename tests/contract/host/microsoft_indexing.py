"""Indexes apps with Microsoft's own runtime package and prints the outcomes as JSON.

test_microsoft.py runs it in an environment with azure-functions-runtime, which needs Python 3.13.
The arguments are the folders of the apps. Prints {folder: what it was refused for, as text, or its
functions: {name: [bindings]}}.
"""

from __future__ import annotations

import importlib
import json
import sys
from types import SimpleNamespace
from typing import Any


class BindingInfo(SimpleNamespace):
    """A fake of the protobuf message of that name; its members are the directions."""

    # Looked up by name, as bindings hold their direction by name.
    undefined, out, inout = "undefined", 1, 2


def record(**fields: Any) -> SimpleNamespace:
    return SimpleNamespace(**fields)


def set_up() -> None:
    from azure_functions_runtime import handle_event, start_threadpool_executor
    from azure_functions_runtime.bindings.meta import load_binding_registry

    handle_event.protos = SimpleNamespace(
        BindingInfo=BindingInfo, RpcFunctionMetadata=record, RpcRetryOptions=record
    )
    load_binding_registry()
    start_threadpool_executor()


def load_app(folder: str) -> dict[str, str]:
    """Indexes one app; gives the ids of its functions by their names."""
    from azure_functions_runtime import handle_event

    set_up()
    handle_event.load_function_metadata(folder, "tests")
    return {each.name: each.function_id for each in handle_event._metadata_result}


def main(folders: list[str]) -> None:
    from azure_functions_runtime import handle_event

    set_up()
    outcome: dict[str, str | dict[str, list[Any]]] = {}
    for folder in folders:
        sys.path.insert(0, folder)
        sys.modules.pop("function_app", None)
        importlib.invalidate_caches()
        try:
            handle_event.load_function_metadata(folder, "tests")
            found = handle_event._metadata_result or []
            outcome[folder] = {
                each.name: [json.loads(binding) for binding in each.raw_bindings] for each in found
            }
        except Exception as error:
            outcome[folder] = f"{type(error).__name__}: {error}"
        finally:
            sys.path.remove(folder)
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
