"""Several accounts: what is deployed for each, and the list that the app gets of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import endpoint_checks
import first_values
import pytest
import web_config
from azd_tools import parameters

from shared.config.settings import EndpointSettings
from shared.config.settings_loader import load_settings
from tests.infra.arm import REFERENCE, evaluate
from tests.infra.expansion import Expansion, expand, needs_compiler
from tests.infra.outside import Stage
from tests.infra.test_web_config import ENV, connects

ROOT = Path(__file__).parent.parent.parent
THREE = {
    "modelLocations": "swedencentral:20, France Central",
    "existingAiAccounts": "rg-shared/Shared_Account@northcentralus:3",
}
OPENAI = [{"name": "openai", "provider": "openai", "key_secret": "openai-key"}]


def endpoints(made: Expansion, cloud: str = "AzureCloud") -> list[dict[str, Any]]:
    text = evaluate(made.app_settings["REALTIME_ENDPOINTS"], cloud)
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return found


def as_the_broker_reads(made: Expansion) -> tuple[EndpointSettings, ...]:
    """The broker's own reader, with the settings that the app gets."""
    env = {name: evaluate(value) for name, value in made.app_settings.items()}
    # Azure knows these; any will do.
    env |= {"AZURE_CLIENT_ID": "00000000-0000-0000-0000-00000000000c"}
    env |= {"KEY_VAULT_URI": "https://demo.vault.azure.net", "ALLOWED_ORIGINS": ""}
    env = {
        name: value.replace(REFERENCE, "https://shared-account.openai.azure.com")
        for name, value in env.items()
        if not name.startswith(("AzureWebJobs", "APPLICATIONINSIGHTS"))
    }
    return load_settings(env, ROOT).endpoints


def regions(made: Expansion) -> dict[str, str]:
    return {each["name"]: each["location"] for each in made.of("CognitiveServices/accounts")}


@needs_compiler
def test_one_location_is_the_default_and_needs_no_list() -> None:
    for given in ({}, {"modelLocations": "eastus2"}, {"modelLocations": " East US 2 ,"}):
        made = expand(**given)
        assert made.resources == expand().resources
        assert made.app_settings["REALTIME_ENDPOINTS"] == ""
    [single] = as_the_broker_reads(expand())
    assert single.name == "default"


@needs_compiler
def test_each_region_has_an_account_and_today_s_stays_the_first() -> None:
    one, three = expand(), expand(**THREE)
    [(name, _)] = regions(one).items()
    assert regions(three) == {
        name: "eastus2",
        f"{name}-swedencentral": "swedencentral",
        f"{name}-francecentral": "francecentral",
    }
    assert one.names <= three.names
    # Nothing of the first account changes when others join it.
    for kind in ("CognitiveServices/accounts", "CognitiveServices/accounts/deployments"):
        [before] = one.of(kind)
        assert before in three.of(kind)


@needs_compiler
def test_each_account_has_the_model_and_the_app_may_use_it() -> None:
    made = expand(**THREE, enableTranscription=True)
    deployed = {
        (each["id"].split("/")[4], each["id"].split("/")[8], each["name"].split("/")[-1]): each
        for each in made.of("CognitiveServices/accounts/deployments")
    }
    [name] = regions(expand())
    accounts = [("rg-demo", each) for each in regions(made)] + [("rg-shared", "Shared_Account")]
    assert {key[:2] for key in deployed} == set(accounts)
    for group, account in accounts:
        assert (group, account, "gpt-realtime-whisper") in deployed
    units = {
        account: deployed[(group, account, "gpt-realtime-1.5")]["sku"]["capacity"]
        for group, account in accounts
    }
    assert units == {
        name: 5,
        f"{name}-swedencentral": 20,
        f"{name}-francecentral": 5,
        "Shared_Account": 3,
    }
    granted = [
        each.scope.rpartition("/")[2] for each in made.grants if "CognitiveServices" in each.scope
    ]
    assert sorted(granted) == sorted(account for _, account in accounts)


@needs_compiler
def test_the_app_gets_a_list_that_it_can_read() -> None:
    made = expand(**THREE)
    [name] = regions(expand())
    host = "openai.azure.com"
    assert [
        (each["name"], each["endpoint"], each["region"], each["weight"]) for each in endpoints(made)
    ] == [
        ("default", f"https://{name}.{host}", "eastus2", 5),
        ("swedencentral", f"https://{name}-swedencentral.{host}", "swedencentral", 20),
        ("francecentral", f"https://{name}-francecentral.{host}", "francecentral", 5),
        ("shared-account", REFERENCE, "northcentralus", 3),
    ]
    read = as_the_broker_reads(made)
    assert [each.name for each in read] == [each["name"] for each in endpoints(made)]
    assert read[0].url == evaluate(made.app_settings["REALTIME_ENDPOINT"])
    assert {each.key for each in read} == {None}


@needs_compiler
def test_an_existing_first_account_may_be_joined_by_new_ones() -> None:
    made = expand(
        existingAiAccountName="shared", modelLocation="centralus", modelLocations="eastus2"
    )
    first, second = endpoints(made)
    assert (first["name"], first["region"], first["endpoint"]) == (
        "default",
        "centralus",
        REFERENCE,
    )
    assert second["name"] == "eastus2"
    assert len(regions(made)) == 1


@needs_compiler
@pytest.mark.parametrize(
    ("cloud", "host", "scope"),
    [
        ("AzureUSGovernment", "openai.azure.us", "https://cognitiveservices.azure.us/.default"),
        ("AzureChinaCloud", "openai.azure.cn", "https://cognitiveservices.azure.cn/.default"),
    ],
)
def test_other_clouds_have_their_own_domain_and_scope(cloud: str, host: str, scope: str) -> None:
    for each in endpoints(expand(modelLocations="swedencentral"), cloud):
        assert each["endpoint"].endswith(host)
        assert each["token_scope"] == scope


@needs_compiler
def test_a_drained_endpoint_takes_no_new_call_and_keeps_its_account() -> None:
    made = expand(**THREE, drainedEndpoints="swedencentral, default")
    assert [each["weight"] for each in endpoints(made)] == [0, 0, 5, 3]
    assert regions(made) == regions(expand(**THREE))
    kinds = "CognitiveServices/accounts/deployments"
    assert made.of(kinds) == expand(**THREE).of(kinds)


@needs_compiler
def test_endpoints_that_are_not_deployed_here_join_the_list() -> None:
    encoded = base64.b64encode(json.dumps(OPENAI).encode()).decode()
    made = expand(realtimeEndpointsBase64=encoded)
    assert [each["name"] for each in endpoints(made)] == ["default", "openai"]
    assert [each.provider for each in as_the_broker_reads(made)] == ["azure", "openai"]


@needs_compiler
def test_what_is_said_of_an_endpoint_by_its_name_adds_to_it() -> None:
    more = [{"name": "shared-account", "models": {"gpt-realtime-1.5": "talk"}, "weight": 40}]
    encoded = base64.b64encode(json.dumps(more).encode()).decode()
    made = expand(**THREE, realtimeEndpointsBase64=encoded)
    plain, [*others, last] = endpoints(expand(**THREE)), endpoints(made)
    assert others == plain[:-1]
    assert last == plain[-1] | more[0]
    assert messages(REALTIME_ENDPOINTS='[{"name": "default", "weight": 2}]') == []


@needs_compiler
def test_a_gateway_stands_before_the_first_account_alone() -> None:
    gateway = "https://gateway.example.com"
    made = expand(modelLocations="swedencentral", realtimeGatewayEndpoint=gateway)
    first, second = endpoints(made)
    assert first["endpoint"] == made.app_settings["REALTIME_ENDPOINT"] == gateway
    assert second["endpoint"].endswith("-swedencentral.openai.azure.com")
    assert as_the_broker_reads(made)[0].url == gateway


@needs_compiler
def test_browsers_reach_the_relays_of_every_account() -> None:
    made = expand(**THREE, firewallPolicyName="corporate")
    tags = {
        each["properties"]["destinationAddressPrefix"]
        for each in made.the("Network/networkSecurityGroups")["properties"]["securityRules"]
        if each["properties"]["destinationPortRange"] == "3478"
    }
    wanted = {
        f"AzureCloud.{region}"
        for region in ("eastus2", "swedencentral", "centralfrance", "northcentralus")
    }
    assert tags == wanted
    group = made.the("Network/firewallPolicies/ruleCollectionGroups")["properties"]
    allowed = {
        tag
        for collection in group["ruleCollections"]
        for rule in collection["rules"]
        if rule.get("destinationPorts") == ["3478"]
        for tag in rule["destinationAddresses"]
    }
    assert allowed == wanted


@needs_compiler
def test_the_alerts_of_the_model_say_which_endpoint_it_is() -> None:
    split = {
        each["name"].removeprefix("alert-"): each["properties"]["criteria"]["allOf"][0].get(
            "dimensions"
        )
        for each in expand().of("Insights/scheduledQueryRules")
        if each["kind"] == "LogAlert"
    }
    by_endpoint = {"model-refuses", "model-fails", "model-quota"}
    assert {name for name, dimensions in split.items() if dimensions} == by_endpoint
    for name in by_endpoint:
        assert split[name] == [{"name": "endpoint", "operator": "Include", "values": ["*"]}]


def test_the_page_may_connect_to_every_endpoint() -> None:
    several = {
        "MODEL_ENDPOINTS": f"{ENV['REALTIME_ENDPOINT']},https://oai-x-sweden.openai.azure.com"
    }
    first, second = "https://oai-x.openai.azure.com", "https://oai-x-sweden.openai.azure.com"
    assert connects(**several) == f"connect-src 'self' {first} {second}"
    assert connects(**several, TOKEN_ENDPOINT="off") == "connect-src 'self'"
    gateway = {"REALTIME_GATEWAY_ENDPOINT": "https://gateway.example.com"}
    behind = {"MODEL_ENDPOINTS": "https://gateway.example.com,https://other.openai.azure.com"}
    assert web_config.page_origins(ENV | gateway | behind) == behind["MODEL_ENDPOINTS"].split(",")


def messages(**env: str) -> list[str]:
    stage = Stage(env={"BROKER_SECRET": "s", "AZURE_LOCATION": "eastus2", **env})
    first_values.first_values(stage.outside())
    chosen = parameters(stage.env | stage.kept)
    return [each.message for each in endpoint_checks.check_endpoints(chosen)]


def test_the_words_that_name_accounts_are_read_as_bicep_reads_them() -> None:
    env = {
        "AZURE_LOCATION": "eastus2",
        "MODEL_LOCATIONS": THREE["modelLocations"],
        "EXISTING_AI_ACCOUNTS": THREE["existingAiAccounts"],
    }
    assert messages(**env) == []
    places = endpoint_checks.model_places(parameters(env))
    assert [(each.name, each.region, each.units) for each in places] == [
        ("default", "eastus2", "5"),
        ("swedencentral", "swedencentral", "20"),
        ("francecentral", "francecentral", "5"),
        ("shared-account", "northcentralus", "3"),
    ]
    assert places[-1].existing == ("rg-shared", "Shared_Account")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"MODEL_LOCATIONS": "swedencentral:many"}, "swedencentral:many is not a region"),
        ({"MODEL_LOCATIONS": "swedencentral:0"}, "swedencentral:0 is not a region"),
        ({"EXISTING_AI_ACCOUNTS": "account"}, "account does not name an account"),
        ({"EXISTING_AI_ACCOUNTS": "rg/account"}, "rg/account does not name an account"),
        ({"REALTIME_ENDPOINTS": "openai"}, "not a JSON list"),
        ({"REALTIME_ENDPOINTS": '[{"provider": "openai"}]'}, "not a JSON list"),
        ({"MODEL_LOCATIONS": "a:1,a:2"}, "would be called a"),
        ({"MODEL_LOCATIONS": "a", "DRAINED_ENDPOINTS": "b"}, "there is no endpoint b"),
        ({"MODEL_LOCATIONS": "a", "DRAINED_ENDPOINTS": "a,default"}, "names every endpoint"),
        ({"DRAINED_ENDPOINTS": "default"}, "while there is one endpoint"),
    ],
)
def test_words_that_would_fail_later_are_found_before(env: dict[str, str], said: str) -> None:
    [message] = messages(**env)
    assert said in message
