"""Select all that match: what goes to more people than a request has time for, the worker does."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from enrollment import tasks as enrollment_tasks
from enrollment.models import Invitation, InvitationRound
from epmm.models import AuditEntry, Job, Mail
from tests.flows.house import HOST, switch
from tests.portal.conftest import PASSWORD, SignedIn
from tests.portal.test_devices_actions import forget_who
from users import tasks
from users.models import (
    AdminGrant,
    AdminRole,
    CustomAttribute,
    PeopleResult,
    PeopleRun,
    RegistrationPin,
    User,
    UserAttribute,
)
from users.services import administrators, people, people_actions, people_runs
from users.services.people import NewPerson
from users.views import actions, chosen

pytestmark = pytest.mark.django_db(transaction=True)
HANDLERS: dict[str, Callable[..., None]] = {people_runs.KIND: tasks.act, "enrollment.invite": enrollment_tasks.invite}
MATCHING = {"all": "1", "matching": "q=worker"}


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "MOST_TICKED", 2)
    monkeypatch.setattr(people_runs, "BITE", 2)
    for name in ("pin", "reset-password"):
        monkeypatch.setitem(actions.DEEDS, name, replace(actions.DEEDS[name], most=2))


def workers(number: int = 5) -> list[User]:
    new = (NewPerson(user_id=f"worker{n}", email=f"worker{n}@example.test") for n in range(number))
    return [people.create(each, actor="test") for each in new]


def ask(client: Client, action: str, address: str = "users") -> str:
    answer = client.post(f"/admin/{address}/{action}", MATCHING)
    assert answer.status_code == 200
    return answer.content.decode()


def go(client: Client, action: str, number: int = 5, address: str = "users", **values: Any) -> Any:
    return client.post(f"/admin/{address}/{action}", {"go": "1", "number": number, **MATCHING, **values})


def work() -> None:
    for job in Job.objects.open().filter(kind__in=HANDLERS).order_by("pk"):
        with Job.leased(job.pk) as leased:
            assert leased is not None
            HANDLERS[job.kind](**job.arguments)


def said() -> list[str]:
    return list(PeopleResult.objects.order_by("pk").values_list("said", flat=True))


def test_what_takes_long_lets_others_have_their_turn(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.turns.SECONDS", 0.0)
    workers()
    granted = ["portal", "apple.adde"]
    go(signed_in(), "roles", was="portal", granted=granted, source="pattern", pattern="{user_id}@{domain}")

    for done in (2, 4, 5):
        work()
        assert PeopleRun.objects.get().done == done
    work()
    assert PeopleRun.objects.get().done_at is not None
    assert not Job.objects.open().filter(kind=people_runs.KIND).exists()


def test_all_that_match_get_the_role_and_each_says_what_came_of_it(signed_in: SignedIn) -> None:
    first, *_others = workers()
    administrators.set_roles(first, [AdminRole.API], actor="test")
    User.objects.filter(pk=first.pk).update(managed_apple_account=f"worker4@{HOST}")
    client = signed_in()

    dialog = ask(client, "roles")
    assert "Assign Roles: 5 users" in dialog
    assert "All of them, now." in dialog
    assert re.search(r'value="portal"[^>]*checked', dialog)  # each of the five has it, not the first two alone
    answer = go(
        client, "roles", was="portal", granted=["portal", "apple.adde"], source="pattern", pattern="{user_id}@{domain}"
    )
    run = PeopleRun.objects.get()
    assert answer.headers["HX-Redirect"] == f"/admin/logs/actions/people/{run.pk}"
    assert "0 of 5 people" in client.get(f"/admin/logs/actions/people/{run.pk}").content.decode()
    late = people.create(NewPerson(user_id="worker9"), actor="test")
    work()

    assert said() == [f"worker{n}@{HOST}" for n in (4, 1, 2, 3)] + [said()[-1]]
    assert "Another user (worker0) already has this Managed Apple Account." in said()[-1]
    page = client.get(f"/admin/logs/actions/people/{run.pk}").content.decode()
    assert "5 of 5 people: done for 4, 1 skipped." in page
    assert "worker4" in client.get(f"/admin/logs/actions/people/{run.pk}?result=2").content.decode()
    assert "Assign Roles" in client.get("/admin/logs/actions/people").content.decode()
    assert not late.role_grants.filter(key="apple.adde").exists()
    begun = AuditEntry.objects.get(action="user.action_begun")
    assert (begun.details["people"], begun.details["asked"]) == (5, "q=worker")


@pytest.mark.parametrize("action", ["pin", "reset-password"])
def test_what_each_gets_is_fetched_once_by_whoever_ordered_it(signed_in: SignedIn, action: str) -> None:
    workers(3)
    client, other = signed_in(), signed_in("other")
    go(client, action, 3)
    run = PeopleRun.objects.get()
    address = f"/admin/logs/actions/people/{run.pk}"
    assert "Download" not in client.get(address).content.decode()
    work()

    assert said() == [""] * 3
    assert "Download" not in other.get(address).content.decode()
    assert other.post(f"{address}/file").status_code == 302
    assert "Download" in client.get(address).content.decode()
    rows = list(csv.DictReader(io.StringIO(client.post(f"{address}/file").content.decode("utf-8-sig"))))
    assert [row["user_id"] for row in rows] == ["worker0", "worker1", "worker2"]
    if action == "pin":
        assert RegistrationPin.objects.count() == 3
    else:
        assert User.objects.get(user_id="worker1").check_password(rows[1]["secret"])
    assert client.post(f"{address}/file").status_code == 302
    assert not PeopleResult.objects.filter(secret__isnull=False).exists()


def test_many_that_are_ticked_go_to_the_worker_where_each_is_slow(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen, "MOST_TICKED", 100)
    client, keys = signed_in(), [user.pk for user in workers(3)]

    dialog = client.post("/admin/users/pin", {"row": keys}).content.decode()
    given = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', dialog))
    assert client.post("/admin/users/pin", given).status_code == 204
    work()
    assert RegistrationPin.objects.count() == 3


def test_where_others_match_by_now_nothing_is_ordered(signed_in: SignedIn) -> None:
    workers(5)
    client = signed_in()

    refused = go(client, "enable", 4)
    assert "By now other people match." in refused.content.decode()
    assert not PeopleRun.objects.exists()
    assert go(client, "enable", 5).status_code == 204


def test_whoever_is_deleted_is_typed_out_and_devices_are_nobody_s(signed_in: SignedIn) -> None:
    workers()
    client = signed_in()
    assert "Type the number of people, 5, to continue." in ask(client, "delete")

    assert go(client, "delete", typed="4").status_code == 422
    assert go(client, "delete", typed="5").status_code == 204
    work()
    assert not User.objects.filter(user_id__startswith="worker").exists()
    page = client.get(f"/admin/logs/actions/people/{PeopleRun.objects.get().pk}").content.decode()
    assert "5 of 5 people: done for 5" in page
    assert ", deleted" in page


def test_attributes_and_administrator_roles_are_kept_for_the_worker(signed_in: SignedIn) -> None:
    workers()
    client = signed_in()
    room = CustomAttribute.objects.create(subject="user", name="room", kind="text")
    attribute: dict[str, Any] = {f"attribute_{room.pk}": "B 214"}
    go(client, "attributes", **attribute)
    forget_who(client)
    given: dict[str, Any] = {"granted": [AdminRole.API]}
    assert go(client, "roles", address="admins", **given).status_code == 422  # and who is it?
    assert go(client, "roles", address="admins", password=PASSWORD, **given).status_code == 204
    work()

    assert (
        UserAttribute.objects.filter(attribute=room, user__user_id__startswith="worker").filter(text="B 214").count()
        == 5
    )
    assert AdminGrant.objects.filter(key=AdminRole.API, user__user_id__startswith="worker").count() == 5


def test_invitations_to_many_are_a_round_of_their_own(signed_in: SignedIn) -> None:
    *_others, silent = workers()
    User.objects.filter(pk=silent.pk).update(email="")
    switch("mail.host", "mail.example.test")
    switch("mail.from", "epmm@example.test")
    client = signed_in()
    dialog = ask(client, "invite")
    assert "Without an email address, and so not invited: worker4" in re.sub(r"\s+", " ", dialog)

    text: dict[str, Any] = {"language": "en", "subject": "Your device", "text": "Go to {help_url}", "reminders": "1"}
    assert "By now other people match." in go(client, "invite", 4, **text).content.decode()
    assert not InvitationRound.objects.exists()
    answer = go(client, "invite", **text)
    assert answer.status_code == 204, answer.content.decode()
    work()
    work()

    assert Invitation.objects.values("round").distinct().count() == 1
    assert Mail.objects.count() == 4
    assert Invitation.objects.get(user=silent).problem == "This person has no email address."


def test_who_loses_the_role_meanwhile_does_no_more_with_it(signed_in: SignedIn) -> None:
    workers()
    client = signed_in("keeper", roles=[AdminRole.USER_VIEW, AdminRole.USER_MANAGE])
    go(client, "disable")
    AdminGrant.objects.filter(user__user_id="keeper", key=AdminRole.USER_MANAGE).delete()
    work()

    assert User.objects.filter(user_id__startswith="worker", is_active=True).count() == 5
    assert PeopleRun.objects.get().refusal == "Whoever ordered it may do so no longer."


def test_it_can_be_stopped_and_one_who_fails_keeps_nothing_from_the_next(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, *_others = workers()
    client = signed_in()
    go(client, "disable")
    run = PeopleRun.objects.get()
    carry_out = people_actions.carry_out

    def until_three(action: Any, user: User, order: Any) -> Any:
        if user == first:
            raise RuntimeError
        if user.user_id == "worker3":
            people_runs.stop(run, actor="other")
        return carry_out(action, user, order)

    monkeypatch.setattr(people_actions, "carry_out", until_three)
    work()

    assert User.objects.filter(user_id__startswith="worker", is_active=False).count() == 3
    assert "an action failed on a person" in caplog.text
    assert "Stopped" in client.get("/admin/logs/actions/people").content.decode()
    assert client.post(f"/admin/logs/actions/people/{run.pk}/stop").status_code == 302  # it was over before
    assert AuditEntry.objects.filter(action="user.action_stopped").count() == 1


def test_old_ones_are_forgotten_and_what_nobody_fetched_before_that(signed_in: SignedIn) -> None:
    workers(3)
    go(signed_in(), "pin", 3)
    work()
    run = PeopleRun.objects.get()
    later = run.created_at + 2 * people_runs.KEPT

    people_runs.close_old(run.created_at)
    assert PeopleResult.objects.filter(secret__isnull=False).count() == 3
    people_runs.close_old(later)
    assert not PeopleResult.objects.filter(secret__isnull=False).exists()
    people_runs.forget(later)
    assert not PeopleRun.objects.exists()
