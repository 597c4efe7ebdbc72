"""`manage.py sync_directory`."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from epmm.models import Job
from tests.directories import Slapd
from users.models import Directory, DirectorySync, User
from users.services.directory import sync

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("sync_directory", *arguments, stdout=output)
    return output.getvalue()


def test_a_directory_is_synced_and_what_came_of_it_is_said(server: Slapd, directory: Directory) -> None:
    server.add_person("anna")

    assert run("example") == "read: 1, added: 1, people: 1\n"
    assert json.loads(run("Example", "--json"))["counts"]["people"] == 1
    assert not Job.objects.open().filter(kind=sync.KIND).exists(), "no worker does it once more"


@pytest.mark.parametrize(("name", "sentence"), [("nowhere", "There is no directory nowhere. Example")])
def test_a_name_that_none_has_is_refused(directory: Directory, name: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(name)


def test_a_disabled_directory_is_not_synced(directory: Directory) -> None:
    Directory.objects.update(is_enabled=False)

    with pytest.raises(CommandError, match="Example is disabled"):
        run("Example")


def test_a_directory_that_is_away_is_said_and_left_to_its_schedule(server: Slapd, directory: Directory) -> None:
    server.stop()
    with pytest.raises(CommandError, match="Can't contact LDAP server"):
        run("Example")

    assert not Job.objects.open().filter(kind=sync.KIND).exists()


def test_it_does_not_get_in_the_way_of_a_worker(server: Slapd, directory: Directory) -> None:
    sync.ask(directory)
    with Job.leased(Job.objects.get(kind=sync.KIND).pk), pytest.raises(CommandError, match="just now"):
        run("Example")


def test_losses_are_accepted_by_saying_so(server: Slapd, directory: Directory) -> None:
    names = [server.add_person(name) for name in ("anna", "berta")]
    run("Example")
    for name in names:
        server.remove(name)
    with pytest.raises(CommandError, match="2 of 2"):
        run("Example")
    run("Example", "--accept-losses")

    assert not User.objects.filter(is_active=True).exists()
    assert DirectorySync.objects.get().counts["gone"] == 2
