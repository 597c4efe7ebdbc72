"""Import: a file of people or labels is looked at first, and put in place as it was seen."""

import csv
import gzip
import html
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from devices.models import Label
from epmm.models import AuditEntry
from tests.portal.conftest import PASSWORD, SignedIn
from users.models import AdminRole, User

pytestmark = pytest.mark.django_db(transaction=True)
USERS, LABELS = "/admin/users/import", "/admin/labels/import"
PEOPLE = "user_id,last_name,roles\nmia,Ito,portal portal.lock\nben,Li,portal\n"


def sent(client: Client, where: str, content: str | bytes, **more: str) -> Any:
    raw = content if isinstance(content, bytes) else content.encode()
    return client.post(where, {"file": SimpleUploadedFile("rows", raw), **more})


def seen(answer: Any) -> dict[str, str]:
    """What the page sends back with the button that does it."""
    (found,) = re.findall(r'name="seen" value="([^"]+)"', answer.content.decode())
    return {"seen": found, "go": "1"}


def told(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_people_are_looked_at_and_then_put_in_place(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "Show the changes" in told(client.get(USERS))
    User.objects.create(user_id="mia", last_name="Old")

    look = sent(client, USERS, PEOPLE)
    assert look.status_code == 200
    assert "2 mia changed last_name Old Ito" in told(look)
    assert "3 ben new" in told(look)
    assert not User.objects.filter(user_id="ben").exists()
    whole = client.post(f"{USERS}?changes=csv", {"file": SimpleUploadedFile("rows", PEOPLE.encode())})
    assert ["2", "mia", "changed", "last_name", "Old", "Ito"] in list(csv.reader(whole.content.decode().splitlines()))

    done = sent(client, USERS, gzip.compress(PEOPLE.encode()), **seen(look))
    assert (done.status_code, done["HX-Redirect"]) == (204, "/admin/users")
    assert User.objects.get(user_id="mia").last_name == "Ito"
    assert User.objects.get(user_id="ben").granted_role_keys() == {"portal"}
    assert AuditEntry.objects.filter(action="user.created", actor="admin", subject="ben").exists()
    assert "There is nothing to change." in told(sent(client, USERS, PEOPLE))


@pytest.mark.parametrize("what", ["another file", "another state"])
def test_what_has_become_another_since_is_looked_at_again(signed_in: SignedIn, what: str) -> None:
    client = signed_in()
    given = seen(sent(client, USERS, PEOPLE))
    content = PEOPLE + "eve,Oh,portal\n" if what == "another file" else PEOPLE
    if what == "another state":
        User.objects.create(user_id="ben", last_name="Li")

    again = sent(client, USERS, content, **given)
    assert again.status_code == 422
    assert "Look at it again." in told(again)
    assert not User.objects.filter(user_id__in=["mia", "eve"]).exists()
    assert sent(client, USERS, content, **seen(again)).status_code == 204


def test_who_is_at_the_keyboard_is_asked_before_people_are_changed(signed_in: SignedIn) -> None:
    client = signed_in()
    session = client.session
    session.pop("confirmed_at", None)
    session.save()
    look = sent(client, USERS, PEOPLE)
    assert "Confirm that it is you" in told(look)

    assert sent(client, USERS, PEOPLE, **seen(look), password="wrong").status_code == 422
    assert not User.objects.filter(user_id="mia").exists()
    assert sent(client, USERS, PEOPLE, **seen(look), password=PASSWORD).status_code == 204


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "Choose the file first."),
        ("user_id,phone\nmia,1\n", "There are no columns 'phone'."),
        (b"\xff\xfe", "The file is no text in UTF-8."),
        (b"\x1f\x8bnonsense", "not what gzip makes"),
        pytest.param(gzip.compress(PEOPLE.encode())[:-8], "not whole", id="cut off"),
        ('{"user_id": "mia"}', "The JSON is a list of objects."),
    ],
)
def test_a_file_that_is_none_is_told_and_changes_nothing(
    signed_in: SignedIn, content: str | bytes, sentence: str
) -> None:
    answer = signed_in().post(USERS) if not content else sent(signed_in(), USERS, content)

    assert answer.status_code == 422
    assert sentence in told(answer)


def test_rows_that_are_wrong_stop_the_others_unless_they_may_go(signed_in: SignedIn) -> None:
    client, content = signed_in(), PEOPLE + "no spaces,X,portal\n"
    look = sent(client, USERS, content)
    assert "Line 4: " in told(look)
    assert b'name="go"' not in look.content
    assert sent(client, USERS, content, **seen(look)).status_code == 422
    assert not User.objects.filter(user_id="mia").exists()

    look = sent(client, USERS, content, partial="on")
    assert sent(client, USERS, content, partial="on", **seen(look)).status_code == 204
    assert User.objects.filter(user_id__in=["mia", "ben"]).count() == 2


def test_a_long_file_is_no_long_page(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    content = "user_id,last_name\n" + "".join(f"u{number},Somebody\n" for number in range(400))
    sent(client, USERS, PEOPLE)
    with django_assert_max_num_queries(24):
        look = sent(client, USERS, content)

    assert len(look.content) < 60_000
    assert "These are the first; the file has all." in told(look)


def test_labels_are_brought_in_and_taken_out(signed_in: SignedIn) -> None:
    client = signed_in("keeper", [AdminRole.LABEL_VIEW, AdminRole.LABEL_MANAGE])
    content = '[{"name": "Old", "kind": "filter", "criteria": "common.os_version < 18"}]'
    look = sent(client, LABELS, content)
    assert "1 Old new" in told(look)

    done = sent(client, LABELS, content, **seen(look))
    assert (done.status_code, Label.objects.filter(name="Old").count()) == (204, 1)
    exported = client.get(f"{LABELS}?format=csv")
    lines = b"".join(exported.streaming_content).decode().splitlines()  # type: ignore[attr-defined] # a stream
    # what may not be seen is no column, for an empty one would empty
    assert lines[0] == "name,description,kind,criteria"
    assert "Old,,filter,common.os_version < 18" in lines
    assert client.get(USERS).status_code == 403
    devices = sent(client, LABELS, "name,devices\nNew,x\n")
    assert "Only who may view devices and apply labels may change the devices of one." in told(devices)
