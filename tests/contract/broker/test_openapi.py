"""The OpenAPI document is complete and true: it has every route, and every response to generated
requests, valid and invalid, conforms to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.api.openapi.document import document
from shared.api.routes import ROUTES
from tests.support.broker_programs import Running, running_app
from tests.support.offers import OFFER

ROOT = Path(__file__).parent.parent.parent.parent
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# Requests for each operation; TEST_EXAMPLES=1000 makes over ten thousand in all.
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "40"))

schemathesis.serializer.alias(["application/sdp"], "text/plain")
schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def app() -> Iterator[Running]:
    with running_app() as running:
        yield running


def test_every_route_is_in_the_document_and_no_other() -> None:
    assert {path.removeprefix("/") for path in document()["paths"]} == set(ROUTES)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests_get_answers_that_the_document_promises(
    case: schemathesis.Case[Any], app: Running
) -> None:
    response = case.call(base_url=app.url + "/api", session=app.session)
    assert response.status_code != 500
    case.validate_response(response, checks=CHECKS)


@settings(max_examples=4 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=300)
    | st.binary(max_size=40).map(lambda noise: OFFER[: len(OFFER) // 2] + noise + OFFER[-50:]),
    kind=st.sampled_from(
        ["application/sdp", "text/plain", "multipart/form-data; boundary=x", "", 'a/b; c="']
    ),
)
def test_random_bytes_never_cause_a_500(app: Running, body: bytes, kind: str) -> None:
    response = app.session.post(app.url + "/api/connect", data=body, headers={"Content-Type": kind})
    assert response.status_code in (201, 400, 413, 415)
