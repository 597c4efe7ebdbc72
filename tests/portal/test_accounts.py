"""Managed Apple Accounts of directories and providers: a preview, what is set, and the list of conflicts."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from epmm.models import AuditEntry, Job
from tests import factories
from tests.portal.conftest import SignedIn
from users.models import Directory, DirectoryEntry, IdentityProvider, User
from users.services import account_conflicts
from users.services.accounts import State
from users.services.directory import sync
from users.views import account_preview

OURS = "localhost.example"
HERE = "/admin/services/accounts"
MOST_QUERIES, MOST_BYTES = 12, 60_000


def directory(people: int = 0, **columns: Any) -> Directory:
    made = Directory.objects.create(name="Corp", account_attribute="mail", url="ldaps://127.0.0.1:9", **columns)
    for n in range(people):
        person(made, f"p{n:03}")
    return made


def person(of: Directory, name: str, has: str | None = None, **columns: Any) -> DirectoryEntry:
    user = factories.user(name, source=User.Source.LDAP, managed_apple_account=has)
    attributes = {"mail": [f"{name}@{OURS}"], "cn": [name]}
    return DirectoryEntry.objects.create(user=user, directory=of, external_id=name, attributes=attributes, **columns)


def domains() -> None:
    from epmm import settings_store

    settings_store.change("enrollment.domains", OURS, actor="test")


def test_every_value_is_shown_before_a_mapping_is_used(signed_in: SignedIn) -> None:
    client = signed_in()
    domains()
    corp = directory(people=60)
    factories.user("holder", managed_apple_account=f"p055@{OURS}")
    there = f"/admin/services/ldap/{corp.pk}/accounts"

    with CaptureQueriesContext(connection) as asked:
        page = client.get(there)
    assert len(asked) <= MOST_QUERIES
    assert len(page.content) <= MOST_BYTES
    assert page.context["counts"] == [("As they are", "0"), ("New or another", "59"), ("Would fail", "1")]
    assert f"p049@{OURS}" in page.content.decode()
    following = client.get(there + page.context["next_address"]).content.decode()
    assert f"p059@{OURS}" in following
    assert f"p049@{OURS}" not in following
    failing = client.get(there + page.context["failing_address"])
    assert [each.wanted.user.user_id for each, _badge in failing.context["rows"]] == ["p055"]
    assert "Another user (holder)" in failing.content.decode()
    lines = b"".join(client.get(there + page.context["csv_address"])).decode().splitlines()
    assert len(lines) == 61
    assert next(line for line in lines if line.startswith("p055")).split(",")[3] == "Another person has it"
    assert not User.objects.filter(user_id__startswith="p0").exclude(managed_apple_account=None).exists()


def test_those_that_would_fail_are_looked_for_some_people_at_a_time_until_there_is_a_page_of_them(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in()
    domains()
    monkeypatch.setattr(account_preview, "SCANNED", 10)
    monkeypatch.setattr(account_preview, "SIZE", 2)
    corp = directory(people=45)
    for n in (15, 22, 31):
        factories.user(f"holder{n}", managed_apple_account=f"p0{n}@{OURS}")
    there = f"/admin/services/ldap/{corp.pk}/accounts"
    address, told = "?failing=1", []

    while address:
        page = client.get(there + address)
        rows = [each.wanted.user.user_id for each, _badge in page.context["rows"]]
        told.append((page.context["looked_at"], rows, 'hx-trigger="load"' in page.content.decode()))
        address = page.context["next_address"]

    assert told == [
        ("10", [], True),
        ("20", ["p015"], True),
        ("30", ["p022"], False),
        ("40", ["p031"], True),
        ("45", [], False),
    ]


def test_a_mapping_is_tried_out_and_then_used(signed_in: SignedIn) -> None:
    client = signed_in()
    domains()
    corp = directory(people=1)
    there = f"/admin/services/ldap/{corp.pk}/accounts"
    sent = {"account_source": "pattern", "name": "mail", "account_pattern": "{user_id}.work@{domain}"}

    assert f"p000.work@{OURS}" in client.get(there, sent).content.decode()
    unread = client.get(there, {**sent, "account_source": "said", "name": "employeeMail"}).content.decode()
    assert "This was not read yet" in unread
    for wrong in ({"account_pattern": "{room}@{domain}"}, {"account_pattern": ""}, {"name": "*"}):
        assert client.post(there, {"go": "1", **sent, **wrong}).status_code == 422
    assert client.post(there, {"go": "1", **sent}).status_code == 302

    corp.refresh_from_db()
    assert (corp.account_source, corp.account_pattern) == ("pattern", "{user_id}.work@{domain}")
    assert Job.objects.filter(kind=sync.KIND).exists()
    assert AuditEntry.objects.filter(action="directory.changed", subject="Corp").exists()


def test_a_provider_maps_its_accounts_too(signed_in: SignedIn) -> None:
    client = signed_in()
    domains()
    login = IdentityProvider.objects.create(name="Login", issuer="https://login.example.test", client_id="epmm")
    user = factories.user("anna", source=User.Source.OIDC)
    DirectoryEntry.objects.create(user=user, provider=login, external_id="1", attributes={"user_id": ["anna"]})
    there = f"/admin/services/providers/{login.pk}/accounts"
    sent = {"account_source": "pattern", "name": "", "account_pattern": "{user_id}@{domain}"}

    assert f"anna@{OURS}" in client.get(there, sent).content.decode()
    assert client.post(there, {"go": "1", **sent}).status_code == 302
    login.refresh_from_db()
    assert login.account_source == "pattern"


def test_conflicts_are_listed_by_gravity_narrowed_and_solved(signed_in: SignedIn) -> None:
    client = signed_in()
    domains()
    corp = directory()
    factories.user("holder", managed_apple_account=f"anna@{OURS}")
    person(corp, "kate", f"own@{OURS}", account=f"kate@{OURS}", account_state=State.KEPT)
    person(corp, "anna", account=f"anna@{OURS}", account_state=State.TAKEN)
    person(corp, "fine")

    page = client.get(HERE)
    text = page.content.decode()
    assert text.index(">anna<") < text.index(">kate<")
    assert "holder" in text
    assert ">fine<" not in text
    assert "Use what is mapped" in text
    kept = client.get(f"{HERE}?state={State.KEPT.value}").content.decode()
    assert ">kate<" in kept
    assert ">anna<" not in kept

    everything = client.post(f"{HERE}/adopt", {"all": "1", "matching": f"state={State.KEPT.value}"}).content.decode()
    assert f"kate@{OURS}" in everything
    assert f"anna@{OURS}" not in everything
    kate = DirectoryEntry.objects.get(external_id="kate")
    dialog = client.post(f"{HERE}/adopt", {"row": str(kate.pk)}).content.decode()
    assert f"kate@{OURS}" in dialog
    answer = client.post(f"{HERE}/adopt", {"chosen": str(kate.pk), "go": "1"}).content.decode()
    assert "Accounts taken over: 1" in answer
    kate.refresh_from_db()
    assert (kate.account_state, kate.user.managed_apple_account) == (State.FINE, f"kate@{OURS}")
    assert client.post(f"{HERE}/check").status_code == 302
    assert Job.objects.filter(kind=account_conflicts.KIND).exists()
    note = client.get(f"/admin/users/{User.objects.get(user_id='anna').pk}").content.decode()
    assert "Another person has it" in note


def test_the_list_of_conflicts_stays_within_its_budget(signed_in: SignedIn) -> None:
    client = signed_in()
    corp = directory()
    for n in range(120):
        person(corp, f"p{n:03}", account=f"info@{OURS}", account_state=State.TAKEN)
    client.get(HERE)

    with CaptureQueriesContext(connection) as asked:
        page = client.get(HERE)
    assert len(asked) <= MOST_QUERIES
    assert len(page.content) <= MOST_BYTES
    following = client.get(page.context["next_address"])
    assert len(following.context["rows"]) == len(page.context["rows"]) == 50
