"""When a directory is asked, and that what is disabled, deleted or away is not asked or asked again."""

from datetime import timedelta

import pytest

from epmm.models import Job
from tests.directories import Slapd
from users.models import Directory, DirectorySync, User
from users.services.directory import sync

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]


def test_the_schedule_asks_for_what_is_due(directory: Directory) -> None:
    sync.ask_for_due()
    sync.ask_for_due()
    assert Job.objects.filter(kind=sync.KIND).count() == 1, "once"

    Job.objects.all().delete()
    sync.work(directory.pk)
    sync.ask_for_due()
    assert not Job.objects.filter(kind=sync.KIND).exists()

    row = DirectorySync.objects.get(directory=directory)
    assert row.ended_at is not None
    row.ended_at -= timedelta(minutes=directory.sync_minutes)
    row.save()
    sync.ask_for_due()
    assert Job.objects.filter(kind=sync.KIND).exists()


@pytest.mark.parametrize("columns", [{"is_enabled": False}, {"sync_minutes": 0}])
def test_what_is_disabled_or_has_no_interval_is_not_asked_for(directory: Directory, columns: dict[str, object]) -> None:
    Directory.objects.update(**columns)
    sync.ask_for_due()

    assert not Job.objects.filter(kind=sync.KIND).exists()


def test_a_directory_that_is_away_is_tried_again_soon(server: Slapd, directory: Directory) -> None:
    server.stop()
    sync.work(directory.pk)

    row = DirectorySync.objects.get(directory=directory)
    assert "Can't contact LDAP server" in row.error
    assert row.ended_at is not None
    assert sync._is_due(directory, row.ended_at + sync.AFTER_A_FAILURE)
    assert not sync._is_due(directory, row.ended_at)


def test_a_disabled_or_deleted_directory_is_left_alone(server: Slapd, directory: Directory) -> None:
    server.add_person("anna")
    Directory.objects.update(is_enabled=False)
    sync.work(directory.pk)
    sync.work(directory.pk + 1_000_000)

    assert not User.objects.exists()
