"""What the OpenAPI document says of every call, held against what the server does."""

import json
import os
from collections.abc import Iterator
from typing import Any, Final
from unittest.mock import patch

import jsonschema_rs
import pytest
import schemathesis
from django.db import connection
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from devices.models import Device
from devices.services import configurations, declarations, labels, seeding
from enrollment.events import FAILED
from enrollment.services import domain_check, trace
from enrollment.services.domain_check import Outcome, Way
from enrollment.services.findings import Finding
from epmm import options, settings_store, webhooks
from epmm.models import Event, Webhook, WebhookDelivery
from epmm.rate_limit import Buckets
from epmm.wsgi import application
from tests import factories
from tests.api.conftest import make_caller
from tests.api.x.conftest import X
from tests.devices.configuration.profiles import profile
from users.api import document, permissions, throttling
from users.models import AdminRole, User
from users.services import api_credentials, api_tokens, lock_out

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once, pytest.mark.long]

EXAMPLES: Final = int(os.environ.get("EPMM_API_EXAMPLES", "6"))  # of each call, good and bad ones
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
]
OURS: Final = [*CHECKS, checks.negative_data_rejection]  # EPMM's calls bear with a lot
HOST: Final = "https://localhost"


@pytest.fixture
def token(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of an administrator with all roles, in a house where somebody lives."""
    person = make_caller("script")
    _row, token = api_tokens.create(
        person, name="walk", scopes=set(AdminRole.values) - {AdminRole.API}, days=1, actor="test"
    )
    # which Django asks after each request, unless a client of its own has made it
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    answer = Outcome(findings=[Finding.ok("Answer")], way=Way.REDIRECT)
    monkeypatch.setattr(domain_check, "check", lambda _domain: answer)
    monkeypatch.setattr(throttling, "_elsewhere", Buckets(per_second=1000, burst=1000))
    settings_store.change(options.API_CALLS_PER_SECOND.name, "10000", actor="test")
    monkeypatch.setattr(api_credentials, "_checks", Buckets(per_second=1000, burst=10_000))
    # wrong credentials, again and again
    nobody_waits = lock_out.Counted(name_hash="", where="", held_to=())
    monkeypatch.setattr(lock_out, "count_attempt", lambda _name, _address, **_how: nobody_waits)
    for name in ("mia", "ben"):
        factories.pin(factories.user(name, email=f"{name}@example.com"))
        trace.open_known(name, identifier=f"{name}@example.com", address="192.0.2.7")
    return token


def known() -> dict[str, Any]:
    """Values of those in addresses that something is found at."""
    mia = User.objects.filter(user_id="mia").first()
    return {
        "uuid": str(mia.uuid) if mia else "",
        "key": "portal",
        "name": "registration.pin_length",
        "domain": next(iter(options.enrollment_domains())),
        "number": 1,
    }


def known_by_resource() -> dict[str, dict[str, Any]]:
    """The same by resource, where something else is meant."""
    seeding.seed(devices=20, users=3)
    device = Device.objects.filter(status=Device.Status.ACTIVE).first()
    assert device is not None
    configuration = configurations.upload(profile(), actor="test").configuration
    declarations.put("code", "com.apple.configuration.passcode.settings", {"MinimumLength": 6}, actor="test")
    webhook = Webhook(name="SIEM", url="https://127.0.0.1/", kinds=[FAILED.name])
    webhooks.save(webhook, actor="test")
    event = Event.objects.create(kind=FAILED.name, is_spread=True)
    delivery = webhook.deliveries.create(event=event, state=WebhookDelivery.State.DEAD)
    label = labels.create("mia", actor="test").pk  # EPMM's calls name people and labels alike
    return {
        "": {"uuid": str(device.uuid), "name": "mia", "number": label},  # of EPMM's calls
        "devices": {"uuid": str(device.uuid)},
        "labels": {"number": label},
        "configurations": {"number": configuration.pk},
        "declarations": {"identifier": "code", "uuid": str(device.uuid)},
        "webhooks": {"uuid": str(webhook.uuid)},
        "webhook_deliveries": {"number": delivery.pk},
        "certificates": {"number": device.enrollments.get().identities.get().pk},
    }


def test_the_document_is_one_and_tells_every_call(db: None) -> None:
    document.document.cache_clear()
    found = document.document()

    with patch("jsonschema.validate", jsonschema_rs.validate):  # which takes a minute
        validate_schema(found)  # type: ignore[no-untyped-call] # untyped there
    assert not GENERATOR_STATS
    operations = [each for path in found["paths"].values() for each in path.values()]
    assert len(operations) == len(permissions.NEEDED)
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert [each["operationId"] for each in operations if not each.get("summary")] == []


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of what is sent and of what is answered when all is well, each by its media type."""
    answers = {status: told for status, told in operation["responses"].items() if status.startswith("2")}
    for name, told in {"request": operation.get("requestBody", {}), **answers}.items():
        for media, content in told.get("content", {}).items():
            yield f"{operation['operationId']} {name} {media}", content


def test_each_body_has_an_example_that_fits_its_schema(db: None) -> None:
    found = document.document()
    told = [each for path in found["paths"].values() for operation in path.values() for each in bodies(operation)]
    examples = {
        name: [each["value"] for each in content.get("examples", {}).values()] for name, content in told if content
    }

    assert [name for name, values in examples.items() if not values] == []
    for name, content in told:
        validator = Draft202012Validator({**content["schema"], "components": found["components"]})
        for value in examples[name]:
            assert [f"{name}: {error.json_path} {error.message}" for error in validator.iter_errors(value)] == []


def test_nothing_answers_otherwise_than_the_document_says(token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(document.document())))
    schema.app = application
    schema.config.update(base_url=HOST)
    found = known()
    by_resource = known_by_resource()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        resource = operation.path.removeprefix(X).partition("/")[0]
        _hold(operation, headers, found | by_resource.get(resource, {}))


def _hold(operation: Any, headers: dict[str, str], found: dict[str, Any]) -> None:
    is_ours = operation.path.startswith(X)
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]

    @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]), aims=st.booleans())
    @settings(
        max_examples=EXAMPLES if is_ours else EXAMPLES // 2,
        deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def hold(case: Any, aims: bool) -> None:  # noqa: FBT001 - given by hypothesis
        if aims:  # at what is there: by chance nothing ever is
            case.path_parameters |= {name: found[name] for name in case.path_parameters or {} if name in found}
        case.call_and_validate(headers=headers, checks=OURS if is_ours else CHECKS)

    hold()
