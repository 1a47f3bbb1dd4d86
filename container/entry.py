"""Starts the Functions host in a container, and lets a SIGTERM reach the host and its worker.

Microsoft's start script runs the host as its child and passes no signal on, and as the first
process of a container it ignores SIGTERM: the platform would kill all of it when its grace period
is over. The worker needs the signal as much as the host, because it hands over the calls that it
observes (docs/hosting.md). So the command that is given runs in a process group of its own, and the
whole group is signalled.

    python3 entry.py COMMAND [ARGUMENT ...]

The environment variable STOP_GRACE_SECONDS (28) is how long the group may take; then it is killed.
It must be less than the platform's grace period, which is 30 seconds in Container Apps unless
terminationGracePeriodSeconds says otherwise.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

GRACE_SECONDS = 28
LEFT_SECONDS = 5
"""How long what is left may take once the command has ended by itself."""
PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """Runs the command to its end and returns its exit code, or 128 and the signal's number."""
    become_parent_of_orphans()
    host: subprocess.Popen[bytes] | None = None
    is_told = False

    def signal_group(number: int) -> None:
        # The group is gone once all its processes have ended.
        with contextlib.suppress(ProcessLookupError):
            if host is not None:
                os.killpg(host.pid, number)

    def stop(*_: object) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            signal.alarm(int(os.environ.get("STOP_GRACE_SECONDS") or GRACE_SECONDS))
            signal_group(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, lambda *_: signal_group(signal.SIGKILL))
    host = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - the image's own
    if is_told:
        # It came while there was nothing to pass it on to.
        signal_group(signal.SIGTERM)
    code = 0
    # Waits for every process: what loses its parent becomes a child of this one.
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            return code if code >= 0 else 128 - code
        if ended == host.pid:
            code = os.waitstatus_to_exitcode(status)
            if not is_told:
                # A worker that has lost its host is of no use.
                signal.alarm(LEFT_SECONDS)
                signal_group(signal.SIGTERM)


def become_parent_of_orphans() -> None:
    """The first process of a container is that already."""
    if os.getpid() != 1:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
