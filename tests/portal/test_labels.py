"""Devices & Users > Labels."""

from typing import Any

import pytest
from django.test import Client

from devices.models import Label
from devices.services import labels
from tests.devices.services.rows import device_of, enrolled
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
    assert f'href="/admin/devices?label={label.pk}">Sales</a>' in listed
    assert "<td>1</td>" in listed

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


def test_who_only_views_labels_changes_none(signed_in: SignedIn) -> None:
    client = signed_in("viewer", roles=[AdminRole.LABEL_VIEW])

    assert "Add Label" not in text(client.get("/admin/labels"))
    assert added(client, "Sales").status_code == 403
    assert not Label.objects.filter(name="Sales").exists()
