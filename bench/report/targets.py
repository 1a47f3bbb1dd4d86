"""The ratios that the bench is held to."""

from __future__ import annotations

LIVE_FRAME = "a Live frame of audio beyond receiving it, relative to parsing it"
MANY_LIVE_CALLS = 300
LIVE_LAG = "loop lag p99 in ms, 300 Live calls with reflected audio"
LIVE_LOST = "Live calls of 300 with reflected audio that lost anything"
OBSERVED_MEMORY = "memory of an observed call, relative to a thread's"
OBSERVED_CPU = "CPU of an observed call, relative to a thread's"
CROWD_LAG = "loop lag p99 in ms, 1,000 observed calls"
CROWD_LOST = "observed calls that lost anything"
CROWD_GAPS = "observed calls whose record states a gap that is none"
PAGE = "click to open channel, relative to the floor"
FIRST_SOUND = "end of speech to first sound of the answer, relative to a bare page"
IMPORT = "import of function_app, relative to azure.functions"
FIRST_LATER = "first /connect a second after a process listens, relative to its two trips"
FIRST_AT_ONCE = "first /connect as soon as a process listens, relative to its two trips"
MEMORY_OF_REQUESTS = "memory in the last third of 100,000 requests, relative to the third before"
MEMORY_OF_CALLS = "memory in the last third of 10,000 calls, relative to the third before"
BEYOND_NGINX = {
    kind: f"/{kind} p50 at 1 caller beyond nginx's, in ms" for kind in ("token", "connect")
}

# The ratio, whether its target is a minimum or a maximum, and the target.
TARGETS: tuple[tuple[str, str, float], ...] = (
    ("/connect p50 at 1 caller, relative to the article's", "at most", 0.55),
    (BEYOND_NGINX["token"], "at most", 1.5),
    (BEYOND_NGINX["connect"], "at most", 1.5),
    ("/token requests/s at 64 callers, relative to the article's", "at least", 15),
    ("/connect requests/s at 64 callers, relative to the article's", "at least", 30),
    ("/token requests/s at 64 callers, relative to nginx", "at least", 0.97),
    ("/connect requests/s at 64 callers, relative to nginx", "at least", 0.97),
    ("/token requests/s at 256 callers, relative to nginx", "at least", 0.7),
    ("/connect requests/s at 256 callers, relative to nginx", "at least", 0.7),
    (PAGE, "at most", 1.12),
    (FIRST_SOUND, "at most", 1.02),
    (IMPORT, "at most", 1.1),
    (FIRST_LATER, "at most", 1.1),
    (FIRST_AT_ONCE, "at most", 1.1),
    (MEMORY_OF_REQUESTS, "at most", 1.01),
    (MEMORY_OF_CALLS, "at most", 1.01),
    (OBSERVED_MEMORY, "at most", 0.25),
    (OBSERVED_CPU, "at most", 0.25),
    (CROWD_LAG, "at most", 50),
    (CROWD_LOST, "at most", 0),
    (CROWD_GAPS, "at most", 0),
    (LIVE_FRAME, "at most", 0.2),
    (LIVE_LAG, "at most", 20),
    (LIVE_LOST, "at most", 0),
)
