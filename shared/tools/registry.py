"""Functions that the model may call on the server.

    registry = Registry()

    @registry.tool
    def order_status(number: str) -> dict[str, str]:
        '''Says where an order is.

        number: The order's number, as on the receipt.
        '''

The signature and the docstring give the JSON Schema that the model sees
(shared/tools/parameters.py). `Registry.call_tool` never raises for a mistake of the model or of the
function: the model gets a sentence that it can act on, never a traceback, and the log has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, overload

from shared.core.bulkhead import Bulkhead, QueueLimit
from shared.tools.approvals import ApprovalRequest, Approver, ask_approver
from shared.tools.delegation import TIMEOUT as DELEGATION_TIMEOUT
from shared.tools.delegation import Delegate, DelegatedTask, Delegation, run_delegation
from shared.tools.parameters import parameters_of
from shared.tools.runner import TIMEOUT, Result, Tool, failed, run_tool

TOOL_THREADS = 64
"""Of one instance. A tool that outlives its timeout keeps its thread: it must not keep those that
end calls."""
NO_QUEUE = QueueLimit(waiting=0, patience=timedelta(0))
F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A", bound=Callable[[ApprovalRequest], Any])
D = TypeVar("D", bound=Callable[[DelegatedTask], Any])


class Registry:
    """The tools of one app by name. `threads` are for those that are not async."""

    def __init__(self, threads: Bulkhead | None = None) -> None:
        self.threads = threads or Bulkhead("tools", TOOL_THREADS, NO_QUEUE)
        self.tools: dict[str, Tool] = {}
        self.approvers: dict[str, Approver] = {}
        """Functions that approve calls of MCP servers' tools. The model sees none of them."""
        self.delegations: dict[str, Delegation] = {}
        """Functions that do what a Live call delegates to the server."""

    @overload
    def tool(self, function: F, /) -> F: ...
    @overload
    def tool(
        self, /, *, name: str | None = None, timeout: timedelta = TIMEOUT
    ) -> Callable[[F], F]: ...
    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> Any:
        """Registers a function and returns it unchanged. Raises TypeError or ValueError at once for
        a function that cannot be described to the model: no docstring, a parameter without a
        type."""

        def register(function: F) -> F:
            called = name or function.__name__
            if called in self.tools:
                raise ValueError(f"there is already a tool named {called}")
            description, parameters = parameters_of(function)
            self.tools[called] = Tool(called, description, parameters, function, timeout)
            return function

        return register if function is None else register(function)

    def approval(self, function: A) -> A:
        """Registers a function that approves calls of MCP servers' tools, and returns it unchanged.
        Raises ValueError for a name that is taken."""
        if function.__name__ in self.approvers:
            raise ValueError(f"there is already an approval named {function.__name__}")
        self.approvers[function.__name__] = function
        return function

    @overload
    def delegation(self, function: D, /) -> D: ...
    @overload
    def delegation(
        self, /, *, name: str | None = None, timeout: timedelta = DELEGATION_TIMEOUT
    ) -> Callable[[D], D]: ...
    def delegation(
        self,
        function: Delegate | None = None,
        /,
        *,
        name: str | None = None,
        timeout: timedelta = DELEGATION_TIMEOUT,
    ) -> Any:
        """Registers a function that does what Live calls delegate to the server
        (shared/tools/delegation.py), and returns it unchanged. Raises ValueError for a name that is
        taken."""

        def register(function: D) -> D:
            called = name or function.__name__
            if called in self.delegations:
                raise ValueError(f"there is already a delegation named {called}")
            self.delegations[called] = Delegation(called, function, timeout)
            return function

        return register if function is None else register(function)

    @property
    def names(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """What profiles may name: the tools, the approvals, the delegations."""
        return frozenset(self.tools), frozenset(self.approvers), frozenset(self.delegations)

    def delegation_named(self, name: str | None) -> Delegation | None:
        """The function with that name; without a name the only one, if there is just one."""
        if name is None:
            return next(iter(self.delegations.values())) if len(self.delegations) == 1 else None
        return self.delegations.get(name)

    async def run_delegation(self, delegation: Delegation, task: DelegatedTask) -> Result:
        """What the caller is told of work that a Live call has delegated to that function."""
        return await run_delegation(delegation, task, self.threads)

    async def approves(self, name: str, request: ApprovalRequest) -> bool:
        """Whether the function of that name approves a call; False if there is none."""
        approver = self.approvers.get(name)
        return approver is not None and await ask_approver(approver, request, self.threads, name)

    def __contains__(self, name: object) -> bool:
        return name in self.tools

    def complete_session(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """A session configuration in which every function tool with the name of a registered one
        has its description and parameters too, unless it has its own."""
        if "tools" not in session:
            return dict(session)
        return {**session, "tools": [complete_tool(tool, self.tools) for tool in session["tools"]]}

    async def call_tool(self, name: str, arguments: str) -> Result:
        """Runs the tool with the model's arguments, which are JSON text."""
        tool = self.tools.get(name)
        if tool is None:
            return failed(f"There is no tool {name}.")
        return await run_tool(tool, arguments, self.threads)


def complete_tool(tool: Mapping[str, Any], registered: Mapping[str, Tool]) -> dict[str, Any]:
    """A tool of a session, with what is registered under its name in place of what it lacks."""
    known = registered.get(tool.get("name", ""))
    if tool.get("type") != "function" or known is None:
        return dict(tool)
    return {**known.definition(), **tool}
