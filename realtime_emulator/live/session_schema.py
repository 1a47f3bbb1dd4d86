"""The fields of a Live session, from the types of the `openai` package (facts: the Live API, §2).

One shape for each place that takes a session: create over WebRTC, `session.start` of a primary
WebSocket, the overrides of a fork, `session.update`.
"""

from __future__ import annotations

from realtime_emulator.live.json_shapes import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    MAPPING,
    NUMBER,
    TEXT,
    Array,
    Either,
    Nullable,
    Object,
    Shape,
    Tagged,
    choice,
)

HOSTED = ("file_search", "web_search", "web_search_preview", "image_generation", "computer",
          "code_interpreter", "programmatic_tool_calling", "shell", "apply_patch")  # fmt: skip
TIERS = ("auto", "default", "fast_tier_temp_pilot", "flex", "priority", "ultrafast")
AZURE_TIERS = ("auto", "default", "flex", "priority")

TYPED = Object({"type": TEXT}, ("type",))
NAMED = Object({"type": TEXT, "name": TEXT}, ("type", "name"))
TOOL_FILTER = Nullable(Object({"read_only": Nullable(BOOLEAN), "tool_names": Array(TEXT)}))
FUNCTION = Object(
    {
        "type": TEXT,
        "name": TEXT,
        "description": Nullable(TEXT),
        "parameters": Nullable(MAPPING),
        "strict": Nullable(BOOLEAN),
    },
    ("type", "name"),
)
MCP = Object(
    {
        "type": TEXT,
        "server_label": TEXT,
        "server_url": Nullable(TEXT),
        "tunnel_id": Nullable(TEXT),
        "connector_id": Nullable(TEXT),
        "authorization": Nullable(TEXT),
        "headers": Nullable(MAPPING),
        "allowed_tools": ANYTHING,
        "allowed_callers": Nullable(Array(choice("direct", "programmatic"))),
        "require_approval": Nullable(
            Either(
                text=choice("always", "never"),
                other=Object({"always": TOOL_FILTER, "never": TOOL_FILTER}),
            )
        ),
        "server_description": Nullable(TEXT),
        "defer_loading": Nullable(BOOLEAN),
    },
    ("type",),
)
OPEN_TOOL = Object({"type": TEXT}, ("type",), is_open=True)
"""A hosted tool, whose own fields the emulator does not know."""
TOOL = Tagged(
    {
        "function": FUNCTION,
        "mcp": MCP,
        **dict.fromkeys((*HOSTED, "custom", "namespace", "tool_search"), OPEN_TOOL),
    }
)
CHOSEN = Tagged(
    {
        "function": NAMED,
        "custom": NAMED,
        "mcp": Object({"type": TEXT, "server_label": TEXT, "name": TEXT}, ("server_label", "name")),
        **dict.fromkeys(HOSTED, TYPED),
    }
)
TOOL_CHOICE = Either(
    text=choice("auto", "none", "required"),
    other=Tagged(
        {
            **CHOSEN.variants,
            "allowed_tools": Object(
                {
                    "type": TEXT,
                    "mode": Nullable(choice("none", "auto", "required")),
                    "tools": Array(CHOSEN),
                },
                ("tools",),
            ),
        }
    ),
)
BACKEND = Object(
    {
        "model": TEXT,
        "instructions": Nullable(TEXT),
        "max_output_tokens": Nullable(INTEGER),
        "parallel_tool_calls": Nullable(BOOLEAN),
        "reasoning": Nullable(
            Object(
                {
                    "effort": Nullable(choice("none", "minimal", "low", "medium", "high", "xhigh")),
                    "summary": Nullable(choice("concise", "detailed", "auto")),
                }
            )
        ),
        "service_tier": Nullable(choice(*TIERS)),
        "text": Nullable(Object({"verbosity": Nullable(choice("low", "medium", "high"))})),
        "tool_choice": TOOL_CHOICE,
        "tools": Array(TOOL),
    },
    ("model",),
)
BACKEND_UPDATE = Object(BACKEND.fields)

PART = Object({"type": TEXT}, is_open=True)
QUESTION_TEXT = Either(text=TEXT, other=Array(PART))
QUESTION = Tagged(
    {
        "predicate": Object({"type": TEXT, "name": TEXT, "instructions": QUESTION_TEXT}),
        "choice": Object(
            {
                "type": TEXT,
                "name": TEXT,
                "instructions": QUESTION_TEXT,
                "choices": Array(Object({"value": ANYTHING, "description": TEXT}, ("value",))),
            },
            ("choices",),
        ),
        "score": Object(
            {
                "type": TEXT,
                "name": TEXT,
                "instructions": QUESTION_TEXT,
                "levels": Array(Object({"label": TEXT, "description": TEXT}, ("label",))),
            },
            ("levels",),
        ),
    }
)
DECISIONS = Object({"model": TEXT, "questions": Array(QUESTION)}, ("model", "questions"))
TRIGGER = Object(
    {
        "type": choice("decisions"),
        "event_type": choice("session.input_transcript.delta", "session.output_transcript.delta"),
        "decisions": Object({"questions": Array(QUESTION)}, ("questions",)),
    },
    ("type", "event_type", "decisions"),
)

DELAY = {"acknowledgement_delay_ms": INTEGER}
CLIENT_DELEGATION = Object({"type": TEXT, **DELAY})
DELEGATION = Tagged(
    {
        "client": CLIENT_DELEGATION,
        "responses": Object({"type": TEXT, "responses": BACKEND, **DELAY}, ("responses",)),
        "decisions": Object({"type": TEXT, "decisions": DECISIONS, **DELAY}, ("decisions",)),
    }
)
DELEGATION_UPDATE = Tagged(
    {
        "client": CLIENT_DELEGATION,
        "responses": Object({"type": TEXT, "responses": BACKEND_UPDATE, **DELAY}),
        "decisions": Object({"type": TEXT, "decisions": Object(DECISIONS.fields), **DELAY}),
    }
)
AZURE_DELEGATION = Tagged(
    {
        "client": CLIENT_DELEGATION,
        "responses": Object(
            {
                "type": TEXT,
                "responses": BACKEND.having(service_tier=Nullable(choice(*AZURE_TIERS))),
                **DELAY,
            },
            ("responses",),
        ),
    }
)
CHANNEL_LIST = Array(TEXT)
SELECTORS = Array(Object({"type": TEXT, "response_event": TEXT}, ("type",)))
CLIENT = Object(
    {
        "data_channel": Object(
            {
                "allowed_client_events": Either(text=choice("all"), other=CHANNEL_LIST),
                "allowed_server_events": Either(text=choice("all"), other=SELECTORS),
            }
        )
    },
    ("data_channel",),
)
FORMAT = Tagged(
    dict.fromkeys(
        ("audio/pcm", "audio/pcmu", "audio/pcma"),
        Object({"type": TEXT, "rate": INTEGER}, ("rate",)),
    )
)
VOICE = Either(text=TEXT, other=Object({"id": TEXT}, ("id",)))
OUTPUT = Object({"voice": VOICE})
AUDIO = Object({"format": FORMAT, "output": OUTPUT})
"""`format` is checked with the limits: it is known, and forbidden where media is negotiated."""

STATUS = Nullable(choice("incomplete", "completed"))


def message(*parts: str) -> Object:
    """A message whose parts have one of these types, the first where they name none."""
    part = Object({"type": TEXT, "text": TEXT}, ("text",))
    content = Array(Tagged(dict.fromkeys(parts, part), default=parts[0]))
    fields: dict[str, Shape] = {"type": choice("message"), "id": Nullable(TEXT), "status": STATUS}
    return Object({"role": TEXT, "content": content, **fields}, ("role", "content"))


HISTORY = Array(
    Tagged(
        {
            "developer": message("input_text"),
            "user": message("input_text"),
            "assistant": message("text", "output_text"),
        },
        tag="role",
    )
)
START = Object(
    {
        "model": TEXT,
        "instructions": Nullable(TEXT),
        "audio": AUDIO,
        "delegation": Nullable(DELEGATION),
        "client": CLIENT,
        "input": HISTORY,
        "store": BOOLEAN,
        "safety_identifier": Nullable(TEXT),
        "triggers": Array(TRIGGER),
    },
    ("model",),
)
"""`session.start` of a primary WebSocket."""

CREATE = START.having(
    idle_timeout_s=INTEGER, wake_policy=Object({"type": choice("speech"), "vad_threshold": NUMBER},
                                               ("type",)),
)  # fmt: skip
"""Create over WebRTC."""

NOT_ON_AZURE = (
    "client", "idle_timeout_s", "wake_policy", "store", "triggers", "safety_identifier",
)  # fmt: skip
"""Fields that Azure's documentation does not mention, unknown where the script says
`azure_strict`."""
AZURE_CREATE = CREATE.without(*NOT_ON_AZURE).having(delegation=Nullable(AZURE_DELEGATION))
AZURE_START = START.without(*NOT_ON_AZURE).having(delegation=Nullable(AZURE_DELEGATION))

FORK_DELEGATION = Tagged({"responses": DELEGATION_UPDATE.variants["responses"]})
FORK = Object({"client": CLIENT, "delegation": FORK_DELEGATION, "store": BOOLEAN})
"""The overrides of a fork over WebRTC."""
FORK_START = FORK.having(audio=Object({"format": FORMAT}))
"""The overrides in the `session.start` of a forked WebSocket."""

UPDATE = Object({"delegation": Nullable(DELEGATION_UPDATE), "triggers": Array(TRIGGER)})
TRANSPORT = Object({"type": choice("webrtc"), "sdp": TEXT}, ("type", "sdp"))
