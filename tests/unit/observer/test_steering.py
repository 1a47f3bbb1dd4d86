"""What the sideband shows that a page has done."""

from __future__ import annotations

from typing import Any

import pytest

from shared.observer.context import ObservedCall
from shared.observer.realtime.steering import SteeringMonitor
from shared.realtime.item_origins import MODEL
from shared.realtime.server_event_parser import parse_server_event

FUNCTION = {"type": "function", "name": "f"}
SERVER = {"type": "mcp", "server_label": "ours", "name": None}


def calls(*tools: dict[str, Any], **item: Any) -> str | None:
    """The response to cancel after an item of it, with a profile that grants those tools."""
    event = {
        "type": "response.output_item.added",
        "response_id": "r",
        "item": {"id": "i", **item},
    }
    monitor = SteeringMonitor({"type": "realtime", "tools": list(tools)})
    found = monitor.find(parse_server_event(event), MODEL, is_ours=False)
    return found.cancel if found else None


def test_what_the_profile_grants_is_left_alone() -> None:
    assert calls(FUNCTION, SERVER, type="function_call", name="f") is None
    assert calls(FUNCTION, SERVER, type="mcp_call", server_label="ours", name="anything") is None


@pytest.mark.parametrize("name", ["None", "", None, "f"])
def test_no_name_of_an_mcp_server_passes_for_that_of_a_function(name: str | None) -> None:
    item = {"server_label": name, "name": "f"}
    assert calls(FUNCTION, SERVER, type="mcp_call", **item) == "r"
    assert calls(FUNCTION, SERVER, type="mcp_list_tools", **item) == "r"


@pytest.mark.parametrize("name", ["None", "", None, "ours"])
def test_no_name_of_a_function_passes_for_that_of_an_mcp_server(name: str | None) -> None:
    assert calls(FUNCTION, SERVER, type="function_call", name=name) == "r"
    granted = ObservedCall("rtc_1", session={"tools": [FUNCTION, SERVER]}).granted
    assert name not in granted
    assert "f" in granted
