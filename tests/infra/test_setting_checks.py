"""preflight's look at the settings: what cannot be, and what may be meant."""

from __future__ import annotations

import preflight
import pytest

from tests.infra.subscription import (
    TODAY,
    azure,
    refused,
)


@pytest.mark.parametrize("value", ['a "b"', "a\\b", "a\nb"])
def test_a_value_that_azd_cannot_hand_over_stops(value: str) -> None:
    assert "error: ALLOWED_ORIGINS has a quotation mark" in refused(azure(ALLOWED_ORIGINS=value))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ENABLE_NAT_GATEWAY": "true"}, "ENABLE_NAT_GATEWAY belongs to a virtual network"),
        ({"PRIVATE_DNS_ZONES": "rg-dns"}, "PRIVATE_DNS_ZONES is the resource id"),
        ({"CLIENT_SUBNET_ID": "browsers"}, "CLIENT_SUBNET_ID is the resource id"),
        (
            {"CLIENT_DENY_INTERNET": "true", "ENABLE_TURN_RULE": "false"},
            "are about the group that ENABLE_TURN_RULE creates",
        ),
    ],
)
def test_a_network_that_cannot_be_made_stops(changed: dict[str, str], said: str) -> None:
    assert said in refused(azure(**changed))


@pytest.mark.parametrize("zones", ["none", "/subscriptions/s-1/resourceGroups/rg-dns"])
def test_where_the_private_names_are_may_be_chosen(zones: str) -> None:
    preflight.preflight(azure(PRIVATE_DNS_ZONES=zones).outside(), TODAY)


@pytest.mark.parametrize(
    ("secret", "warned"),
    [("s3cret", True), ("akvs://s/kv-team/sign-in", False), ("", False)],
)
def test_a_secret_in_plain_text_is_said(secret: str, warned: bool) -> None:
    stage = azure(SIGN_IN_CLIENT_SECRET=secret)
    preflight.preflight(stage.outside(), TODAY)
    said = [line for line in stage.said if "azd env set-secret SIGN_IN_CLIENT_SECRET" in line]
    assert bool(said) is warned
    assert "s3cret" not in str(stage.said)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ENABLE_LINKED_BACKEND": "false"}, "needs the linked backend"),
        ({"CALLER_AUTH": "entra"}, "needs ENTRA_TENANT_ID"),
        ({"ENABLE_PRIVATE_ENDPOINTS": "true"}, "azd env set ENABLE_VIRTUAL_NETWORK true"),
        ({"ENABLE_VIRTUAL_NETWORK": "true", "EXISTING_SUBNET_ID": "/x"}, "Choose one"),
    ],
)
def test_settings_that_do_not_go_together_stop(changed: dict[str, str], words: str) -> None:
    assert words in refused(azure(**changed))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"CALLER_AUTH": "static-web-apps,anonymous"}, "anyone on the internet"),
        ({"SIGN_IN_CLIENT_ID": ""}, "Anyone with a Microsoft account"),
        ({"MONTHLY_BUDGET": "0"}, "No budget"),
        ({"AZURE_SUBSCRIPTION_ID": ""}, "not chosen yet"),
        ({"ALERT_EMAIL": ""}, "The alerts reach nobody"),
        ({"ALERT_EMAIL": "  "}, "azd env set ENABLE_ALERTS false"),
    ],
)
def test_what_may_be_meant_is_a_warning(changed: dict[str, str], words: str) -> None:
    stage = azure(**changed)
    preflight.preflight(stage.outside(), TODAY)
    assert any(line.startswith("warning: ") and words in line for line in stage.said)


def test_without_a_site_callers_bring_tokens_and_pages_are_named() -> None:
    alone = {"ENABLE_STATIC_WEB_APP": "false", "ALLOWED_ORIGINS": "https://shop.example.com"}
    tokens = {
        "CALLER_AUTH": "entra",
        "ENTRA_TENANT_ID": "t",
        "ENTRA_AUDIENCE": "a",
        "ENTRA_REQUIRED_SCOPE": "s",
    }
    assert "leaves nobody to sign callers in" in refused(azure(**alone))
    assert "ALLOWED_ORIGINS https" in refused(azure(**alone | tokens | {"ALLOWED_ORIGINS": ""}))
    stage = azure(**alone, **tokens)
    preflight.preflight(stage.outside(), TODAY)
    assert stage.said == ["Preflight: no errors found"]


def test_an_existing_site_keeps_its_page_and_signs_callers_in() -> None:
    site = {"EXISTING_STATIC_WEB_APP_NAME": "shop"}
    assert "keeps its own. Run: azd env set ENABLE_STATIC_WEB_APP false" in refused(azure(**site))
    stage = azure(**site, ENABLE_STATIC_WEB_APP="false")
    preflight.preflight(stage.outside(), TODAY)
    assert stage.said == ["Preflight: no errors found"]
    direct = azure(
        **site,
        ENABLE_STATIC_WEB_APP="false",
        ENABLE_LINKED_BACKEND="false",
        CALLER_AUTH="entra",
        ENTRA_TENANT_ID="t",
        ENTRA_AUDIENCE="a",
        ENTRA_REQUIRED_SCOPE="s",
    )
    preflight.preflight(direct.outside(), TODAY)
    assert direct.said == ["Preflight: no errors found"]


def test_a_plan_in_several_zones_wants_storage_in_several() -> None:
    zonal = {"ENABLE_ZONE_REDUNDANCY": "true"}
    assert "azd env set STORAGE_SKU Standard_ZRS" in refused(
        azure(**zonal, STORAGE_SKU="Standard_LRS")
    )
    preflight.preflight(azure(**zonal).outside(), TODAY)
