"""Devices & Users > Labels."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from devices.models import Configuration, ConfigurationAssignment, Label, os_version_number
from devices.search import patience
from devices.search.patience import SearchTooSlow
from devices.services import labels, search
from tests.devices.services.rows import NOW, device_of, enrolled
from tests.portal.conftest import SignedIn
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def added(client: Client, name: str) -> Any:
    return client.post("/admin/labels/add", {"name": name, "description": "People who travel"})


def test_a_label_is_added_renamed_and_deleted(signed_in: SignedIn) -> None:
    client = signed_in()

    assert added(client, "Sales").headers["HX-Redirect"] == "/admin/labels"
    label = Label.objects.get(name="Sales")
    labels.add(label, device_of(enrolled()), actor="test")
    listed = text(client.get("/admin/labels"))
    assert f'href="/admin/devices?label={label.pk}&amp;retired=1">Sales</a>' in listed
    sizes = re.search(r'hx-get="(/admin/labels/sizes[^"]+)"', listed)
    assert sizes is not None
    assert f'<span id="n{label.pk}" hx-swap-oob="true">1</span>' in text(client.get(sizes[1]))

    assert 'value="Sales"' in text(client.post("/admin/labels/edit", {"row": [label.pk]}))
    client.post(f"/admin/labels/{label.pk}/edit", {"name": "Field", "description": ""})
    label.refresh_from_db()
    assert (label.name, label.description, label.members.count()) == ("Field", "", 1)

    assert "Field" in text(client.post("/admin/labels/delete", {"row": [label.pk]}))
    assert Label.objects.filter(pk=label.pk).exists()
    client.post("/admin/labels/delete", {"row": [label.pk], "go": "1"})
    assert not Label.objects.filter(pk=label.pk).exists()


def test_a_name_is_given_once_and_not_left_out(signed_in: SignedIn) -> None:
    client = signed_in()
    added(client, "Sales")
    other = labels.create("Other", actor="test")

    for answer in (added(client, "Sales"), client.post(f"/admin/labels/{other.pk}/edit", {"name": "Sales"})):
        assert answer.status_code == 422
        assert "There is a label Sales already." in text(answer)
    assert added(client, " ").status_code == 422
    assert sorted(Label.objects.filter(kind="manual").values_list("name", flat=True)) == ["Other", "Sales"]


@pytest.mark.parametrize("chosen", [[], ["x"], ["1001", "1002"]])
def test_one_label_is_edited_at_a_time(signed_in: SignedIn, chosen: list[str]) -> None:
    Label.objects.bulk_create([Label(pk=1001, name="a"), Label(pk=1002, name="b")])

    assert "Tick one label" in text(signed_in().post("/admin/labels/edit", {"row": chosen}))


FRESH = "common.os_version >= 18 AND common.retired = false"


def filter_label(client: Client, name: str, criteria: str) -> Any:
    given = {"name": name, "description": "", "kind": "filter", "criteria": criteria}
    return client.post("/admin/labels/add", given)


def test_a_filter_label_is_added_with_its_criteria_and_changed(signed_in: SignedIn) -> None:
    client = signed_in()
    for version in ("18.1", "17"):
        enrolled(udid=version, os_version=version, os_version_number=os_version_number(version))

    assert filter_label(client, "Fresh", FRESH).status_code == 204
    label = Label.objects.get(name="Fresh")
    assert (label.kind, label.criteria) == ("filter", FRESH)
    sizes = f"/admin/labels/sizes?ids={label.pk}"
    assert ">1</span>" in text(client.get(sizes))
    listed = text(client.get("/admin/labels"))
    assert "common.os_version &gt;= 18" in listed
    assert "Whenever it is looked at" in listed
    assert ">Global</td>" in listed

    asked = text(client.post("/admin/labels/edit", {"row": [label.pk]}))
    assert 'id="criteria-text"' in asked
    assert 'value="common.os_version" selected' in asked
    given = {"name": "Fresh", "criteria": "common.os_version >= 17"}
    assert client.post(f"/admin/labels/{label.pk}/edit", given).status_code == 204
    assert ">2</span>" in text(client.get(sizes))


@pytest.mark.parametrize(
    ("criteria", "says"),
    [
        ("os_versio > 17", "Did you mean &quot;common.os_version&quot;?"),
        (" ", "A filter label has criteria."),
        ("a" * 20_001, "An expression has at most 20,000 characters."),
    ],
)
def test_criteria_that_mean_nothing_change_nothing(signed_in: SignedIn, criteria: str, says: str) -> None:
    client = signed_in()
    label = labels.create("Fresh", criteria=FRESH, actor="test")

    for answer in (
        filter_label(client, "Other", criteria),
        client.post(f"/admin/labels/{label.pk}/edit", {"name": "Newer", "criteria": criteria}),
    ):
        assert answer.status_code == 422
        assert says in text(answer)
    label.refresh_from_db()
    assert (label.name, label.criteria) == ("Fresh", FRESH)
    assert not Label.objects.filter(name="Other").exists()


def test_the_longest_criteria_are_taken(signed_in: SignedIn) -> None:
    criteria = " OR ".join(f'ios.DeviceName = "{"x" * 380}{number:03}"' for number in range(49))

    assert filter_label(signed_in(), "Long", criteria).status_code == 204
    assert Label.objects.get(name="Long").criteria == criteria
    assert len(criteria) > 19_000


def test_a_manual_label_has_no_criteria_to_change(signed_in: SignedIn) -> None:
    client, label = signed_in(), labels.create("Sales", actor="test")

    assert "criteria-text" not in text(client.post("/admin/labels/edit", {"row": [label.pk]}))
    client.post(f"/admin/labels/{label.pk}/edit", {"name": "Sales", "criteria": FRESH})
    label.refresh_from_db()
    assert (label.kind, label.criteria) == ("manual", "")


@pytest.fixture
def built_in() -> Label:
    return Label.objects.create(name="All iPads", kind="filter", criteria=FRESH, is_built_in=True)


def test_what_is_built_in_says_so_and_stays(signed_in: SignedIn, built_in: Label) -> None:
    client = signed_in()

    assert "Filter, built in" in text(client.get("/admin/labels"))
    assert "This label is built in" in text(client.post("/admin/labels/edit", {"row": [built_in.pk]}))
    assert client.post(f"/admin/labels/{built_in.pk}/edit", {"name": "Mine"}).status_code == 409
    assert "All iPads is built in" in text(client.post("/admin/labels/delete", {"row": [built_in.pk]}))
    client.post("/admin/labels/delete", {"row": [built_in.pk], "go": "1"})
    built_in.refresh_from_db()
    assert built_in.name == "All iPads"


def test_whoever_deletes_a_label_sees_what_is_assigned_to_it(signed_in: SignedIn) -> None:
    client, label, idle = signed_in(), labels.create("Sales", actor="test"), labels.create("Idle", actor="test")
    for name, removed_at in (("Wi-Fi", None), ("VPN", NOW)):
        configuration = Configuration.objects.create(identifier=name, name=name, scope="System", removed_at=removed_at)
        ConfigurationAssignment.objects.create(configuration=configuration, label=label)

    assert "<td>Wi-Fi</td>" in text(client.get("/admin/labels"))
    asked = text(client.post("/admin/labels/delete", {"row": [label.pk, idle.pk]}))
    assert "Sales, assigned: Wi-Fi</li>" in asked
    assert "What is assigned to these labels goes from their devices." in asked
    assert "assigned" not in text(client.post("/admin/labels/delete", {"row": [idle.pk]}))


def test_a_search_is_saved_as_a_label(signed_in: SignedIn) -> None:
    client = signed_in()
    given = {"search": "common.os_version >= 18 OR ios.Supervised = true", "standing": "1"}

    asked = text(client.post("/admin/labels/from-search", given))
    criteria = '(common.os_version >= 18 OR ios.Supervised = true) AND "common.retired" = "false"'
    assert f'name="criteria" value="{escape(criteria)}"' in asked
    saved = {"name": "Fresh", "description": "New ones", "criteria": criteria}
    assert client.post("/admin/labels/save", saved).headers["HX-Refresh"] == "true"
    label = Label.objects.get(name="Fresh")
    assert (label.kind, label.criteria, label.description) == ("filter", criteria, "New ones")

    again = client.post("/admin/labels/save", saved | {"name": "FRESH"})
    assert again.status_code == 422
    assert "There is a label Fresh already." in text(again)


@pytest.mark.parametrize(
    ("expression", "criteria"),
    [
        ("", '"common.retired" = "false"'),
        ("samsung", 'samsung AND "common.retired" = "false"'),
        ("retired = False", "retired = False"),
        ("a AND retired = false", "a AND retired = false"),
        ("a OR retired = false", '(a OR retired = false) AND "common.retired" = "false"'),
        ("retired != false", 'retired != false AND "common.retired" = "false"'),
    ],
)
def test_a_label_of_a_search_without_retired_devices_has_none(
    signed_in: SignedIn, expression: str, criteria: str
) -> None:
    asked = text(signed_in().post("/admin/labels/from-search", {"search": expression, "standing": "1"}))

    assert f'name="criteria" value="{escape(criteria)}"' in asked


def test_what_cannot_be_searched_for_cannot_be_saved(signed_in: SignedIn) -> None:
    answer = signed_in().post("/admin/labels/from-search", {"search": "retired ="})

    assert answer.status_code == 422
    assert "Expected a value after = at character 10." in text(answer)
    assert "<form" not in text(answer)


def test_sizes_that_cannot_be_found_out_are_left_out(signed_in: SignedIn) -> None:
    broken = Label.objects.create(name="Old", kind="filter", criteria="common.gone = 1")
    client = signed_in()

    assert f'id="n{broken.pk}" hx-swap-oob="true"><span class="quiet">' in text(
        client.get(f"/admin/labels/sizes?ids={broken.pk}.x.99999999999")
    )
    listed = text(client.get(f"/admin/devices?label={broken.pk}"))
    assert "Unknown field &quot;common.gone&quot;." in listed
    Label.objects.bulk_create(Label(name=f"Many {number}") for number in range(60))
    with CaptureQueriesContext(connection) as queries:
        assert b"Old" in b"".join(client.get("/admin/labels?format=csv"))
    assert len(queries) < 20


@pytest.mark.parametrize("number", [5, 60])
def test_a_page_of_labels_costs_as_much_with_many(signed_in: SignedIn, number: int) -> None:
    client = signed_in()
    for index in range(number):
        label = labels.create(f"Label {index:02}", criteria=FRESH, actor="test")
        configuration = Configuration.objects.create(identifier=str(index), name="Wi-Fi", scope="System")
        ConfigurationAssignment.objects.create(configuration=configuration, label=label)

    with CaptureQueriesContext(connection) as queries:
        shown = text(client.get("/admin/labels"))
    assert len(queries) <= 12
    assert len(shown) <= 60_000
    sizes = re.search(r'hx-get="(/admin/labels/sizes[^"]+)"', shown)
    assert sizes is not None
    with CaptureQueriesContext(connection) as queries:
        counted = text(client.get(sizes[1]))
    assert len(queries) <= 10
    assert counted.count(">0</span>") == min(number, 50)


def test_one_size_that_takes_too_long_leaves_the_others(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Label.objects.create(name="Quick")
    slow = Label.objects.create(name="Slow", kind="filter", criteria='"common.language" = "de"')
    clock = patience.limited

    @contextmanager
    def limited(seconds: float) -> Iterator[None]:
        with clock(seconds), connection.execute_wrapper(too_slow):
            yield

    def too_slow(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
        if '"language"' in sql:
            raise SearchTooSlow
        return execute(sql, params, many, context)

    monkeypatch.setattr(search, "limited", limited)
    counted = text(signed_in().get(f"/admin/labels/sizes?ids={quick.pk}.{slow.pk}"))
    assert f'<span id="n{quick.pk}" hx-swap-oob="true">0</span>' in counted
    assert f'<span id="n{slow.pk}" hx-swap-oob="true"><span class="quiet">' in counted


def test_who_only_views_labels_changes_none(signed_in: SignedIn) -> None:
    client = signed_in("viewer", roles=[AdminRole.LABEL_VIEW])

    assert "Add Label" not in text(client.get("/admin/labels"))
    assert added(client, "Sales").status_code == 403
    for address in ("save", "from-search", "criteria/translate", "criteria/count"):
        assert client.post(f"/admin/labels/{address}", {"name": "Sales", "criteria": FRESH}).status_code == 403
    assert not Label.objects.filter(name="Sales").exists()
