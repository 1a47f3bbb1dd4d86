"""What the emulator accepts as items, as their content, and as a response's own settings."""

from __future__ import annotations

from realtime_emulator.protocol.session_schema import (
    OUTPUT_FORMAT,
    PROMPT,
    REASONING,
    TOOL_CHOICE,
    TOOLS,
    max_output_tokens,
    modalities,
)
from realtime_emulator.protocol.validators import (
    Check,
    anything,
    array,
    boolean,
    choice,
    mapping,
    nullable,
    obj,
    string,
    tagged,
)

CONTENT = tagged(
    {
        "input_text": obj({"type": string, "text": string}, required=("text",)),
        "input_audio": obj(
            {"type": string, "audio": string, "transcript": nullable(string)}, required=("audio",)
        ),
        "input_image": obj(
            {"type": string, "image_url": string, "detail": choice("auto", "low", "high")}
        ),
        "output_text": obj({"type": string, "text": string}, required=("text",)),
        "output_audio": obj({"type": string, "audio": string, "transcript": nullable(string)}),
    }
)


COMMON = {"id": string, "object": string, "type": string, "status": string}


ITEMS: dict[str, Check] = {
    "message": obj(
        {**COMMON, "role": choice("user", "assistant", "system"), "content": array(CONTENT)},
        required=("role", "content"),
    ),
    "function_call": obj(
        {**COMMON, "name": string, "call_id": string, "arguments": string},
        required=("name", "arguments"),
    ),
    "function_call_output": obj(
        {**COMMON, "call_id": string, "output": string}, required=("call_id", "output")
    ),
    "mcp_approval_response": obj(
        {
            "id": string,
            "type": string,
            "approval_request_id": string,
            "approve": boolean,
            "reason": nullable(string),
        },
        required=("approval_request_id", "approve"),
    ),
}


ITEM = tagged(ITEMS)


REFERENCE = obj({"type": string, "id": string}, required=("id",))


RESPONSE = obj(
    {
        "instructions": string,
        "output_modalities": modalities,
        "audio": obj({"output": obj(OUTPUT_FORMAT)}),
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "reasoning": REASONING,
        "max_output_tokens": max_output_tokens,
        "conversation": choice("auto", "none"),
        "metadata": nullable(mapping(anything)),
        "input": array(tagged({**ITEMS, "item_reference": REFERENCE})),
        "prompt": PROMPT,
    }
)
