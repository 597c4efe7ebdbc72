"""What the search reads is kept up to what it describes."""

from importlib import import_module

import pytest

from devices import tasks  # noqa: F401 - registers the handlers
from devices.models import Device
from devices.models.device import DESCRIPTION
from devices.services import description, results, search
from epmm import jobs
from epmm.models import Job
from epmm.row_files import Form
from tests.devices.services.rows import answered, channel_of, command, enrolled, person
from users.models import User
from users.services import people_import

pytestmark = pytest.mark.django_db


def found(expression: str) -> int:
    return search.count(expression).number


def test_a_device_is_found_by_what_it_answered() -> None:
    row = command(channel_of(enrolled(device_name="before")), "DeviceInformation")
    answered(row, QueryResponses={"DeviceName": "Ännes iPad", "SerialNumber": "TEST7", "ModelName": "iPad Air"})

    results.read_results()

    assert [found(word) for word in ("ÄNNES", "test7", '"ipad air"', "before")] == [1, 1, 1, 0]
    assert found('ios.DeviceName = "ännes ipad"') == 1


def test_saving_another_column_reads_nothing_more() -> None:
    enrolled(device_name="Ännes iPad")
    device = Device.objects.only("status").get()

    device.status = Device.Status.LOST
    device.save(update_fields=["status"])

    assert found("ännes") == 1


def test_many_at_once_are_described_as_well() -> None:
    Device.objects.bulk_create([Device(user=person("ben"), device_name="Bens Mac")])

    assert found("bens") == found("user.user_id = BEN") == 1


def test_a_person_with_a_new_name_is_found_by_it() -> None:
    enrolled()
    anna = person()
    anna.full_name, anna.last_name = "Anna Öztürk", "Öztürk"
    anna.save()

    job = Job.objects.get(kind="devices.person_named")
    jobs.run(job.kind, job.arguments)

    assert found("ÖZTÜRK") == found("user.display_name contains öztürk") == found("user.last_name = ÖZTÜRK") == 1


def test_many_people_with_new_names_are_one_piece_of_work() -> None:
    """As an import or a directory changes them: the worker has others things to do meanwhile."""
    people = [person(f"p{number}") for number in range(3)]
    Device.objects.bulk_create(Device(user=each) for each in (people[0], people[1], people[1]))
    report = people_import.run(
        "user_id,last_name\np0,Özil\np1,Özil\np2,Özil\n", Form.CSV, actor="test", actor_roles=(), dry_run=False
    )
    assert report.changed == 3

    [job] = Job.objects.filter(kind="devices.people_named")
    jobs.run(job.kind, job.arguments)

    assert found("user.last_name = özil") == found("özil") == 3


def test_what_says_nothing_about_the_name_makes_no_work() -> None:
    anna = person()
    anna.is_active = False
    anna.save(update_fields=["is_active"])

    assert not Job.objects.filter(kind="devices.person_named").exists()


def test_devices_go_with_whoever_has_them_now() -> None:
    enrolled()
    device = Device.objects.get()
    device.user = person("ben")

    device.save(update_fields=["user"])

    assert (found("ben"), found("anna")) == (1, 0)


def test_records_of_a_release_before_are_described() -> None:
    enrolled(device_name="Ännes iPad")
    Device.objects.update(search_text="", name_folded="", user_id_folded="")

    description.describe_new()

    assert found("ännes") == found("user.user_id = anna") == 1


def test_the_migration_describes_as_the_product_does() -> None:
    anna = person()
    anna.full_name, anna.email = "Anna Öztürk", "Anna@Corp.example"
    anna.first_name = "ÄNNE"
    anna.save()
    enrolled(device_name="ANNAS iPad", serial_number="TEST7", product_name="iPad13,8", imei="35")
    enrolled(udid="other", device_name="anna")
    shown = list(Device.objects.order_by("pk").values_list(*sorted(DESCRIPTION)))
    Device.objects.update(**dict.fromkeys(DESCRIPTION, ""))
    User.objects.update(first_name_folded="")

    for name, rows in {
        "devices.migrations.0010_search_text": Device.objects.all(),
        "users.migrations.0004_fold_names": User.objects.all(),
    }.items():
        (operation,) = import_module(name).Migration.operations
        operation.fill(operation.missing(rows))
        assert not operation.missing(rows).exists()

    assert list(Device.objects.order_by("pk").values_list(*sorted(DESCRIPTION))) == shown
    assert User.objects.get().first_name_folded == "änne"
