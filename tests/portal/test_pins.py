"""Registration PINs: for many as a file that is there once; a single one, seen and taken back."""

import csv
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

import enrollment.tasks  # noqa: F401 - as below
import users.tasks  # noqa: F401 - the handlers of its jobs
from devices.models import Device
from enrollment.services import registration
from epmm import jobs
from epmm.models import AuditEntry, Job
from tests import factories
from tests.portal.conftest import SignedIn
from tests.portal.pages import text
from users.errors import PinWrong
from users.models import AdminRole, PinFile, RegistrationPin, User
from users.services import pin_files, pins

pytestmark = pytest.mark.django_db(transaction=True)
FILES = "/admin/users/pins"


def work() -> None:
    for job in Job.objects.filter(done_at=None).order_by("pk"):
        jobs.run(job.kind, job.arguments)
    Job.objects.update(done_at=timezone.now())


def asked(client: Client, *people: User) -> PinFile:
    answer = client.post(FILES, {"go": "1", "chosen": ",".join(str(user.pk) for user in people)})
    assert answer.status_code == 200
    return PinFile.objects.latest("pk")


def test_pins_for_many_are_a_file_that_is_fetched_once(signed_in: SignedIn) -> None:
    client = signed_in()
    anna = factories.user("anna", full_name="=Anna", email="anna@example.test")
    gone = factories.user("gone", is_active=False)
    assert "=Anna" in text(client.post(FILES, {"row": [anna.pk]}))
    file = asked(client, anna, gone)
    assert "Issued: 0 of 2" in text(client.get(f"{FILES}/{file.uuid}"))

    work()
    assert "Download" in text(client.get(f"{FILES}/{file.uuid}"))
    fetched = client.post(f"{FILES}/{file.uuid}/file")

    assert fetched["Content-Disposition"] == 'attachment; filename="pins.csv"'
    assert "no-store" in fetched["Cache-Control"]
    (row,) = csv.DictReader(text(fetched).removeprefix("\N{BYTE ORDER MARK}").splitlines())
    assert (row["user_id"], row["name"], row["email"]) == ("anna", "'=Anna", "anna@example.test")
    pin = pins.check(anna, row["pin"], "sign-in")
    assert row["expires"][:10] == timezone.localtime(pin.expires_at).isoformat()[:10]
    assert not gone.registration_pins.exists()
    again = client.post(f"{FILES}/{file.uuid}/file", follow=True)
    assert "This file is gone" in text(again)
    assert PinFile.objects.get().content is None
    recorded = AuditEntry.objects.filter(action__startswith="pin.").order_by("pk")
    assert [entry.action for entry in recorded] == ["pin.file_asked", "pin.issued", "pin.file_fetched"]
    assert row["pin"] not in str(list(recorded.values_list("details")))


def test_a_file_is_its_owners_alone_and_goes_by_itself(signed_in: SignedIn) -> None:
    owner, anna = signed_in("first"), factories.user("anna")
    file = asked(owner, anna)
    work()

    other = signed_in("second")
    assert "This file is gone" in text(other.get(f"{FILES}/{file.uuid}"))
    assert other.post(f"{FILES}/{file.uuid}/file").status_code == 302
    PinFile.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert owner.post(f"{FILES}/{file.uuid}/file").status_code == 302
    pin_files.forget()
    assert not PinFile.objects.exists()


def test_a_worker_that_was_torn_away_begins_anew(signed_in: SignedIn) -> None:
    client, anna = signed_in(), factories.user("anna")
    file = asked(client, anna)
    pins.issue(anna, actor="admin")  # as far as it came

    pin_files.make(file.pk)
    pin_files.make(file.pk)

    assert anna.registration_pins.count() == 2
    (row,) = csv.DictReader(
        text(client.post(f"{FILES}/{file.uuid}/file")).removeprefix("\N{BYTE ORDER MARK}").splitlines()
    )
    assert pins.check(anna, row["pin"], "sign-in").revoked_at is None


def test_a_pin_is_revoked_and_its_record_expires(signed_in: SignedIn) -> None:
    client, anna = signed_in(), factories.user("anna")
    digits = pins.issue(anna, actor="admin")
    work()
    record = anna.devices.get()
    assert (record.status, record.pin) == (Device.Status.VERIFICATION_PENDING, anna.registration_pins.get())
    page = f"/admin/users/{anna.pk}"
    assert ">Issued</span>" in text(client.get(page))

    answer = client.post(f"{FILES}/{anna.registration_pins.get().pk}/revoke", follow=True)

    assert "The PIN is revoked." in text(answer)
    assert ">Revoked: admin</span>" in text(answer)
    assert ">Revoke<" not in text(answer)
    with pytest.raises(PinWrong):
        pins.check(anna, digits, "sign-in")
    registration.expire_pins()
    assert anna.devices.get().status == Device.Status.EXPIRED
    again = client.post(f"{FILES}/{anna.registration_pins.get().pk}/revoke", follow=True)
    assert "This PIN serves no more" in text(again)
    assert AuditEntry.objects.filter(action="pin.revoked").count() == 1


def test_the_states_of_a_pin_are_told_apart(signed_in: SignedIn) -> None:
    client, anna = signed_in(), factories.user("anna")
    pins.issue(anna, actor="admin")
    pins.issue(anna, actor="admin")
    used = factories.user("used")
    pins.consume(factories.pin(used), "sign-in")
    over = factories.user("over")
    factories.pin(over, valid_for=timedelta(0))

    assert ">Replaced</span>" in text(client.get(f"/admin/users/{anna.pk}"))
    for user, state in ((used, "Used"), (over, "Expired")):
        page = text(client.get(f"/admin/users/{user.pk}"))
        assert f">{state}</span>" in page
        assert ">Revoke<" not in page


def test_who_may_only_look_takes_no_pin_back(signed_in: SignedIn) -> None:
    client, anna = signed_in(roles=[AdminRole.USER_VIEW]), factories.user("anna")
    pin = factories.pin(anna)

    assert ">Revoke<" not in text(client.get(f"/admin/users/{anna.pk}"))
    assert client.post(f"{FILES}/{pin.pk}/revoke").status_code == 403
    assert RegistrationPin.objects.get().revoked_at is None
