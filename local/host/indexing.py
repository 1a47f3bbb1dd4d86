"""Indexes the functions of function_app.py and refuses what the real host would refuse.

Before the first request, the Python worker checks every binding against the function's signature
(azure-functions-runtime 1.3.0, functions.py). `azure.functions` alone does not: such an app starts,
then fails when it is called, or drops its output. The rules here are the worker's. A test runs both
on the same apps where Python 3.13 is available.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import azure.functions as func
from azure.functions.decorators.core import BindingDirection

from local.host.annotations import annotation_name, converter_accepts
from local.host.loading import IndexingError
from local.host.route_constraints import TemplateError
from local.host.routing import RESERVED, Route, Template
from local.host.timer_trigger import period_of

OUT = BindingDirection.OUT.value
INOUT = BindingDirection.INOUT.value
TRIGGERS = ("httpTrigger", "queueTrigger", "timerTrigger")
OUTPUTS = ("http", "queue")
CONNECTION = "AzureWebJobsStorage"
GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class Output:
    """An `Out` parameter, or the return value (`$return`). `kind` names its converter."""

    parameter: str
    kind: str
    queue: str | None


@dataclass(frozen=True, slots=True)
class IndexedFunction:
    """What the host needs in order to call a function.

    `trigger_parameter` receives the request or message, decoded as `trigger_kind` (`generic` for a
    plain str or bytes). An HTTP function has a `route`, a queue function a `queue`, a timer
    function a `period`; exactly one of them is set. `connection` is that of the queue.
    """

    name: str
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool
    trigger_parameter: str
    trigger_kind: str
    outputs: tuple[Output, ...]
    returns: Output | None
    route: Route | None
    queue: str | None
    connection: str
    period: timedelta | None
    bindings: tuple[Mapping[str, Any], ...]


def index_functions(
    module: ModuleType, *, route_prefix: str = "api"
) -> tuple[IndexedFunction, ...]:
    """Indexes the functions of a loaded module. Raises IndexingError with every mistake found."""
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionRegister)]
    if not apps:
        raise IndexingError(
            ["function_app.py has no FunctionApp; create one at the top level of the module."]
        )
    if len(apps) > 1:
        raise IndexingError(
            ["function_app.py has more than one FunctionApp; use Blueprints to split the app."]
        )
    try:
        declared = apps[0].get_functions()
    except ValueError as error:
        raise IndexingError([str(error)]) from error
    if not declared:
        raise IndexingError(
            ["function_app.py has no functions; add a trigger to at least one of them."]
        )
    reasons: list[str] = []
    functions: list[IndexedFunction] = []
    for function in declared:
        mistakes, indexed = FunctionIndexer(function, route_prefix).index_function()
        reasons += mistakes
        functions += [indexed] if indexed else []
    reasons += duplicate_routes(functions)
    if reasons:
        raise IndexingError(reasons)
    return tuple(functions)


def duplicate_routes(functions: Sequence[IndexedFunction]) -> list[str]:
    reasons: list[str] = []
    routes = [function.route for function in functions if function.route]
    for position, route in enumerate(routes):
        for other in routes[:position]:
            if route.template.shape == other.template.shape and route.shares_method_with(other):
                reasons.append(
                    f"function {route.function}: its route {route.template.text!r} is the same as "
                    f"that of {other.function}; change one, or give them different methods."
                )
    return reasons


class FunctionIndexer:
    """Indexes one function and collects the mistakes in it."""

    def __init__(self, function: Any, route_prefix: str) -> None:
        self.name: str = function.get_function_name()
        self.call: Callable[..., Any] = function.get_user_function()
        self.bindings: list[Any] = function.get_bindings()
        self.trigger: Any = function.get_trigger()
        self.route_prefix = route_prefix
        self.mistakes: list[str] = []

    def add_mistake(self, text: str) -> None:
        self.mistakes.append(f"function {self.name}: {text}")

    def index_function(self) -> tuple[list[str], IndexedFunction | None]:
        parameters = set(inspect.signature(self.call).parameters)
        try:
            hints = typing.get_type_hints(self.call)
        except Exception as error:
            self.add_mistake(f"its annotations cannot be read: {error}")
            return self.mistakes, None
        bound = {binding.name: binding for binding in self.bindings if binding.name != "$return"}
        wants_context = "context" in parameters and "context" not in bound
        if wants_context:
            parameters.remove("context")
            self.check_context(hints.get("context"))
        self.check_directions()
        for name in sorted(parameters - set(bound)):
            self.add_mistake(f"its parameter {name!r} has no binding; add one or remove it.")
        for name in sorted(set(bound) - parameters):
            self.add_mistake(f"{name!r} is bound but is not a parameter; add it to the signature.")
        kinds = {
            name: self.check_annotation(binding, name in hints, hints.get(name))
            for name, binding in bound.items()
            if name in parameters
        }
        returns = self.read_return(hints)
        route, queue, period = self.read_route(), self.read_trigger_queue(), self.read_period()
        if self.mistakes:
            return self.mistakes, None
        return [], IndexedFunction(
            name=self.name,
            call=self.call,
            is_async=inspect.iscoroutinefunction(self.call),
            wants_context=wants_context,
            trigger_parameter=self.trigger.name,
            trigger_kind=kinds[self.trigger.name],
            outputs=tuple(
                Output(name, kinds[name], getattr(binding, "queue_name", None))
                for name, binding in bound.items()
                if binding.direction == OUT
            ),
            returns=returns,
            route=route,
            queue=queue,
            connection=str(getattr(self.trigger, "connection", CONNECTION)),
            period=period,
            bindings=tuple(dict(binding.get_dict_repr()) for binding in self.bindings),
        )

    def check_directions(self) -> None:
        for binding in self.bindings:
            what = f"its binding {binding.name!r} ({binding.type})"
            if binding.direction == INOUT:
                self.add_mistake(
                    f'{what} has the direction "inout", which Python functions do not support.'
                )
            elif binding.name == "$return" and binding.direction != OUT:
                self.add_mistake(f'{what} has the direction "in"; a return value must be "out".')
            elif binding.direction == OUT and binding.type not in OUTPUTS:
                self.add_mistake(
                    f"{what} is not supported; outputs are HTTP responses and queue messages."
                )
            elif binding.direction != OUT and binding.type not in TRIGGERS:
                self.add_mistake(
                    f"{what} is not supported; triggers are HTTP requests, queue messages and "
                    "timers."
                )
            connection = getattr(binding, "connection", CONNECTION)
            if connection != CONNECTION and binding.direction == OUT:
                self.add_mistake(
                    f"{what} has the connection {connection!r}; here it is {CONNECTION!r}."
                )

    def check_context(self, annotation: object) -> None:
        if annotation is None:
            return
        if not isinstance(annotation, type) or annotation.__name__ != "Context":
            self.add_mistake(
                'its parameter "context" is a func.Context; annotate it so, or rename it.'
            )

    def check_annotation(self, binding: Any, annotated: bool, annotation: Any) -> str:
        """Checks a parameter's annotation and returns the name of its converter."""
        kind, inner = str(binding.type), annotation
        is_out = (typing.get_origin(annotation) or annotation) is func.Out
        if binding.direction == OUT:
            if not annotated:
                return kind
            if not is_out:
                self.add_mistake(
                    f"its output {binding.name!r} is written into; annotate it func.Out[…]."
                )
                return kind
        elif is_out:
            self.add_mistake(f"{binding.name!r} is an input; func.Out is for outputs only.")
            return kind
        if is_out:
            inner = (*typing.get_args(annotation), None)[0]
            if inner is None:
                self.add_mistake(
                    f"the func.Out of {binding.name!r} needs a type, such as func.Out[str]."
                )
                return kind
        if not annotated:
            return kind
        if inner in (str, bytes):
            return GENERIC if kind != "httpTrigger" else self.add_mismatch(binding, annotation)
        return (
            kind
            if converter_accepts(kind, inner, out=is_out)
            else self.add_mismatch(binding, annotation)
        )

    def add_mismatch(self, binding: Any, annotation: Any) -> str:
        self.add_mistake(
            f"{binding.name!r} is bound to a {binding.type!r} binding, which does not fit its "
            f"annotation {annotation_name(annotation)}."
        )
        return str(binding.type)

    def read_return(self, hints: Mapping[str, Any]) -> Output | None:
        binding = next((b for b in self.bindings if b.name == "$return"), None)
        if binding is None:
            return None
        kind = str(binding.type)
        hint = hints.get("return")
        if "return" in hints and not (
            isinstance(hint, type) and converter_accepts(kind, hint, out=True)
        ):
            self.add_mistake(
                f"its return value is a {kind!r} binding, not {annotation_name(hint)}."
            )
        return Output("$return", kind, getattr(binding, "queue_name", None))

    def read_route(self) -> Route | None:
        if self.trigger.type != "httpTrigger":
            return None
        text = str(self.trigger.route or "").strip("/") or self.name
        if text.lower().startswith(RESERVED):
            self.add_mistake(
                f"its route {text!r} is reserved by the host; start it with another word."
            )
        try:
            template = Template.parse(f"{self.route_prefix}/{text}")
        except TemplateError as error:
            self.add_mistake(f"its route {text!r} is invalid: {error}.")
            return None
        methods = (str(getattr(m, "value", m)).upper() for m in self.trigger.methods or ())
        return Route(self.name, template, frozenset(methods))

    def read_period(self) -> timedelta | None:
        if self.trigger.type != "timerTrigger":
            return None
        period = period_of(str(self.trigger.schedule))
        if period is None:
            self.add_mistake(
                f"its schedule {self.trigger.schedule!r} is not supported; write '0 */5 * * * *', "
                "with any number of minutes below 60."
            )
        return period

    def read_trigger_queue(self) -> str | None:
        return str(self.trigger.queue_name) if self.trigger.type == "queueTrigger" else None
