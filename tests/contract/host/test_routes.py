"""Route templates match as in the Functions host."""

from __future__ import annotations

import pytest

from local.host.route_constraints import TemplateError
from local.host.routing import Route, Router, Template


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/token", "/api/token", {}),
        ("api/token", "/API/Token/", {}),
        ("api/token", "/api/token/more", None),
        ("api/token", "/api", None),
        ("", "/", {}),
        ("calls/{handle}", "/calls/abc", {"handle": "abc"}),
        ("calls/{handle}", "/calls/a%20b%2Fc", {"handle": "a b%2Fc"}),
        ("calls/{handle}", "/calls/", None),
        ("calls/{handle}/hangup", "/calls/x/hangup", {"handle": "x"}),
        ("a/{x?}", "/a", {}),
        ("a/{x?}", "/a/b", {"x": "b"}),
        ("a/{x=1}", "/a", {"x": "1"}),
        ("a/{*rest}", "/a/b/c", {"rest": "b/c"}),
        ("a/{**rest}", "/a/b/c", {"rest": "b/c"}),
        ("a/{*rest}", "/a", {}),
        ("{name}.{ending}", "/a.b.c", {"name": "a.b", "ending": "c"}),
        ("v{version:int}/x", "/v12/x", {"version": "12"}),
        ("{x:int}", "/-5", {"x": "-5"}),
        ("{x:int}", "/2147483648", None),
        ("{x:long}", "/2147483648", {"x": "2147483648"}),
        ("{x:bool}", "/True", {"x": "True"}),
        ("{x:bool}", "/1", None),
        ("{x:guid}", "/CD2C1638-1638-72D5-1638-DEADBEEF1638", {"x": None}),
        ("{x:guid}", "/no", None),
        ("{x:alpha}", "/ab", {"x": "ab"}),
        ("{x:alpha}", "/a1", None),
        ("{x:length(2)}", "/abc", None),
        ("{x:length(2,3)}", "/abc", {"x": "abc"}),
        ("{x:minlength(4)}", "/abc", None),
        ("{x:maxlength(4)}", "/abc", {"x": "abc"}),
        ("{x:min(18)}", "/17", None),
        ("{x:max(18)}", "/17", {"x": "17"}),
        ("{x:range(1,3)}", "/4", None),
        ("{x:int:range(1,3)}", "/2", {"x": "2"}),
        ("{x:float}", "/1.5", {"x": "1.5"}),
        ("{x:datetime}", "/2026-01-31", {"x": "2026-01-31"}),
        (r"{x:regex(^\d{{3}}-\d{{2}}$)}", "/123-45", {"x": "123-45"}),
        (r"{x:regex(^\d{{3}}-\d{{2}}$)}", "/123-456", None),
    ],
)
def test_template(template: str, path: str, values: dict[str, str | None] | None) -> None:
    found = Template.parse(template).match(path)
    if values is None or found is None:
        assert found == values
    else:
        assert found == {k: path[1:] if v is None else v for k, v in values.items()}


@pytest.mark.parametrize(
    "template",
    [
        "a//b",
        "{*rest}/b",
        "{x?}/b",
        "{x}/{X}",
        "{x:number}",
        "{x:min(a)}",
        "a{",
        "{}",
        "{x:nope(1)}",
    ],
)
def test_template_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse(template)


def route(function: str, template: str, *methods: str) -> Route:
    return Route(function, Template.parse(template), frozenset(methods))


def test_the_more_specific_route_wins_and_methods_decide() -> None:
    router = Router(
        [
            route("rest", "a/{*rest}"),
            route("any", "a/{x}"),
            route("number", "a/{x:int}", "GET"),
            route("literal", "a/me", "GET"),
            route("mixed", "a/x-{y}"),
        ]
    )

    def found(method: str, path: str) -> str | None:
        match = router.find_function(method, path)
        return match.function if match else None

    assert found("GET", "/a/me") == "literal"
    assert found("POST", "/a/me") == "any"
    assert found("GET", "/a/7") == "number"
    assert found("POST", "/a/7") == "any"
    assert found("GET", "/a/x-1") == "mixed"
    assert found("GET", "/a/b/c") == "rest"
    assert found("GET", "/b") is None


def test_overlapping_routes_are_told() -> None:
    def overlap(one: Route, other: Route) -> bool:
        return bool(Router([one, other]).overlapping_routes())

    assert overlap(route("a", "calls/{x}"), route("b", "calls/all"))
    assert overlap(route("a", "calls/{*x}"), route("b", "calls/all/of"))
    assert overlap(route("a", "calls/{x?}"), route("b", "calls"))
    assert not overlap(route("a", "calls/{x}", "GET"), route("b", "calls/all", "POST"))
    assert not overlap(route("a", "calls/{x}"), route("b", "calls/{x}/hangup"))
    assert not overlap(route("a", "calls"), route("b", "usage"))
    assert not overlap(route("a", "x/{n:int}"), route("b", "x/{s:alpha}"))
