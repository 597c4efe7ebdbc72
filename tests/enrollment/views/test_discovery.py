import json
import plistlib
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.models import Attempt
from epmm import rate_limit
from tests.enrollment.conftest import Switch, make_person
from users.models import Role, User

PATH = "/.well-known/com.apple.remotemanagement"
pytestmark = pytest.mark.django_db


def ask(client: Client, query: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = client.get(f"{PATH}?{query}" if query else PATH, headers=headers)
    return answer.status_code, answer.json()


def version(client: Client, identifier: str, family: str = "iPhone") -> str:
    document = ask(client, f"user-identifier={identifier}&model-family={family}")[1]
    return str(document["Servers"][0]["Version"])


def test_the_document_names_exactly_one_server(client: Client, adde: None) -> None:
    answer = client.get(f"{PATH}?user-identifier=anna@mdm.example.test&model-family=iPhone")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies
    (server,) = answer.json()["Servers"]
    assert set(server) == {"Version", "BaseURL"}
    assert server["Version"] == "mdm-adde"
    assert server["BaseURL"].startswith("https://mdm.example.test:8443/enroll/adde/")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "model-family=Mac",
        "user-identifier=anna@mdm.example.test",
        "model-family=iPad&user-identifier=anna@mdm.example.test",
        "user-identifier=anna%40mdm.example.test&model-family=iPhone",
        "user-identifier=anna+phone@MDM.Example.TEST&model-family=RealityDevice",
        "other=1&user-identifier=a@b@mdm.example.test",
    ],
)
def test_parameters_may_be_missing_reversed_or_escaped(client: Client, adde: None, query: str) -> None:
    assert ask(client, query)[0] == 200


@pytest.mark.parametrize(
    "query",
    [
        "user-identifier=anna@elsewhere.example&model-family=iPhone",
        "user-identifier=anna@mdm.example.test&model-family=AppleTV",
        "user-identifier=anna@mdm.example.test&model-family=Watch",
    ],
)
def test_what_cannot_enrol_is_rejected_with_apples_code(client: Client, adde: None, query: str) -> None:
    status, body = ask(client, query)

    assert status == 403
    assert body["code"] == "com.apple.well-known.failed"
    assert body["message"]


@pytest.mark.parametrize("feature", ["off", "on"])
def test_feature_or_profile_off_is_rejected_and_traced(client: Client, switch: Switch, feature: str) -> None:
    switch("ios.mdm.account_driven_device_enrollment", feature)
    switch("ios.mdm.profile", "off")
    status, body = ask(client, "user-identifier=anna@mdm.example.test&model-family=iPhone")

    assert (status, body["code"]) == (403, "com.apple.well-known.failed")
    assert Attempt.objects.get().last_code == "E-101"


def test_a_rejection_comes_as_a_property_list_on_request(client: Client) -> None:
    answer = client.get(PATH, headers={"Accept": "application/xml"})

    assert plistlib.loads(answer.content)["code"] == "com.apple.well-known.failed"
    assert answer["Content-Type"] == "application/xml"


def test_head_works_and_other_methods_do_not(client: Client, adde: None) -> None:
    assert client.head(PATH).status_code == 200
    assert client.post(PATH).status_code == 405


def test_it_answers_under_any_host_name(client: Client, adde: None) -> None:
    answer = client.get(PATH, headers={"Host": "www.customer.example"})

    assert json.loads(answer.content)["Servers"][0]["BaseURL"].startswith("https://mdm.example.test:8443/")


def test_an_overlong_query_is_a_plain_400(client: Client, adde: None) -> None:
    assert client.get(f"{PATH}?user-identifier={'a' * 5000}").status_code == 400


def test_the_role_decides_where_both_kinds_are_on(client: Client, adde: None, switch: Switch) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    make_person("anna", roles=(Role.ADDE,))
    make_person("ben", roles=(Role.AAUE,))
    make_person("cleo", roles=(Role.ADDE, Role.AAUE))

    assert version(client, "anna@mdm.example.test") == "mdm-adde"
    assert version(client, "ben@mdm.example.test") == "mdm-byod"
    assert version(client, "cleo@mdm.example.test") == "mdm-adde"


@pytest.mark.parametrize(
    ("domain", "family", "answer"),
    [
        ("school.example", "iPhone", "mdm-byod"),
        ("school.example", "Mac", "mdm-adde"),
        ("school.example", "iPad", "E-101"),
        ("mdm.example.test", "iPad", "mdm-adde"),  # which nobody has narrowed
    ],
)
def test_a_domain_may_offer_less_than_is_switched_on(
    client: Client, adde: None, switch: Switch, domain: str, family: str, answer: str
) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    switch("enrollment.domains", "mdm.example.test,school.example")
    make_person("cleo", roles=(Role.ADDE, Role.AAUE))
    query = f"user-identifier=cleo@{domain}&model-family={family}"

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{PATH}?{query}")
        return len(queries)

    asked()  # what is the same for every question is known from here on
    before = asked()
    switch("enrollment.domain_offers", "school.example=aaue/iPhone,school.example=adde/Mac")
    asked()
    assert asked() <= before
    body = ask(client, query)[1]
    assert answer in (body.get("description"), *(each["Version"] for each in body.get("Servers", [])))


def test_strangers_get_both_answers_and_always_the_same(client: Client, adde: None, switch: Switch) -> None:
    """Otherwise one of the two answers would say that the person exists."""
    switch("ios.mdm.account_driven_user_enrollment", "on")
    answers = {f"nobody{n}": version(client, f"nobody{n}@mdm.example.test") for n in range(20)}

    assert set(answers.values()) == {"mdm-adde", "mdm-byod"}
    assert answers == {name: version(client, f"{name}@mdm.example.test") for name in answers}


def test_a_strangers_name_gets_one_answer_with_and_without_our_domain(
    client: Client, adde: None, switch: Switch
) -> None:
    """A person does, so two different answers would say that there is nobody."""
    switch("ios.mdm.account_driven_user_enrollment", "on")
    for name in (f"nobody{n}" for n in range(8)):
        assert version(client, name) == version(client, f"{name}@MDM.example.test")


def test_a_person_without_role_is_answered_like_a_stranger(client: Client, adde: None, switch: Switch) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    before = {n: version(client, f"p{n}@mdm.example.test") for n in range(6)}
    for n in before:
        make_person(f"p{n}", roles=())

    assert before == {n: version(client, f"p{n}@mdm.example.test") for n in before}


def test_a_flood_from_one_address_is_turned_away(
    client: Client, adde: None, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_buckets", rate_limit.Buckets(per_second=0, burst=2))

    assert [client.get(PATH).status_code for _ in range(3)] == [200, 200, 429]


def test_the_trace_of_one_address_is_bounded(client: Client, adde: None) -> None:
    for n in range(130):
        version(client, f"n{n}@mdm.example.test")

    assert Attempt.objects.count() == 120
    assert version(client, "late@mdm.example.test") == "mdm-adde"


def test_a_repeated_discovery_goes_on_with_its_trace(client: Client, adde: None) -> None:
    version(client, "anna@mdm.example.test")
    version(client, "anna@mdm.example.test")

    assert Attempt.objects.get().steps.count() == 2
