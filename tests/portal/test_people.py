"""Adding people, their page, and what is done with those who are ticked."""

import re

import pytest
from django.test import Client

from epmm import jobs, limit_options, settings_store
from epmm.models import AuditEntry, Job
from tests.portal.conftest import PASSWORD, SignedIn, browser, make_administrator
from users.models import AdminRole, PortalSession, Role, User
from users.services import lock_out, people, pins, portal_sign_in, roles
from users.services.people import NewPerson

pytestmark = pytest.mark.django_db(transaction=True)

NEW = {"user_id": "anna", "password": PASSWORD, "again": PASSWORD}


def person(name: str = "anna") -> User:
    return people.create(NewPerson(user_id=name, password=PASSWORD), actor="test")


def do(client: Client, action: str, *chosen: User) -> str:
    """The result, after the dialog has named who is meant."""
    address, keys = f"/admin/users/{action}", [user.pk for user in chosen]
    asked = client.post(address, {"row": keys})
    assert chosen[0].display_name in asked.content.decode()
    assert asked.status_code == 200
    typed = str(len(chosen)) if len(chosen) > 1 else chosen[0].user_id
    return client.post(address, {"go": 1, "chosen": ",".join(map(str, keys)), "typed": typed}).content.decode()


def secrets(page: str) -> list[str]:
    return re.findall(r"<code[^>]*>([^<]+)</code>", page)


def test_a_local_user_is_added_with_the_portal(signed_in: SignedIn) -> None:
    client = signed_in()

    sent = client.post("/admin/users/add", NEW | {"first_name": "Anna", "last_name": "Ito"})
    anna = User.objects.get(user_id="anna")
    assert sent["Location"] == f"/admin/users/{anna.pk}"
    page = client.get(sent["Location"]).content.decode()
    assert "Anna Ito" in page
    assert "User Portal" in page
    assert "direct" in page
    assert anna.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"user_id": "an na"}, "A user ID consists of"),
        ({"user_id": "x_MI7"}, "is reserved"),
        ({"user_id": "ADMIN"}, "The user ID ADMIN is taken."),
        ({"again": "another"}, "The two are not the same."),
        ({"password": "short", "again": "short"}, "at least 8 characters"),
        ({"email": "no address"}, "valid email"),
        ({"managed_apple_account": "anna@elsewhere.test"}, "does not belong to an enrollment domain"),
    ],
)
def test_what_is_wrong_is_said_and_nobody_is_added(signed_in: SignedIn, wrong: dict[str, str], told: str) -> None:
    answer = signed_in().post("/admin/users/add", NEW | wrong)

    assert told in answer.content.decode()
    assert User.objects.count() == 1


def test_a_person_is_corrected_and_mistakes_change_nothing(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()
    address = f"/admin/users/{anna.pk}"

    client.post(address, {"first_name": "Anna", "email": "a@x.test", "managed_apple_account": "a@mdm.example.test"})
    anna.refresh_from_db()
    assert (anna.first_name, anna.email, anna.managed_apple_account) == ("Anna", "a@x.test", "a@mdm.example.test")
    assert AuditEntry.objects.get(action="user.changed").details == {"changed": ["email", "first_name"]}
    people.create(NewPerson(user_id="ben", email="ben@x.test"), actor="test")
    refused = client.post(address, {"first_name": "Else", "email": "BEN@x.test"}).content.decode()
    assert "Another user already has the email address BEN@x.test." in refused
    anna.refresh_from_db()
    assert (anna.first_name, anna.managed_apple_account) == ("Anna", "a@mdm.example.test")


def test_who_may_only_look_changes_nothing(signed_in: SignedIn) -> None:
    client, anna = signed_in(roles=[AdminRole.USER_VIEW]), person()
    address = f"/admin/users/{anna.pk}"

    assert '<form method="post" class="stack"' not in client.get(address).content.decode()
    assert client.post(address, {"first_name": "Else"}).status_code == 403


def test_a_reset_password_is_shown_once_and_has_to_be_replaced(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()

    [password] = secrets(do(client, "reset-password", anna))
    anna.refresh_from_db()
    assert anna.check_password(password)
    assert anna.must_change_password
    assert password not in str(list(AuditEntry.objects.values_list("details", flat=True)))


def test_a_pin_is_shown_once_for_each(signed_in: SignedIn) -> None:
    client, anna, ben = signed_in(), person(), person("ben")

    shown = secrets(do(client, "pin", anna, ben))
    assert [pins.check(user, digits, "").user for user, digits in zip((anna, ben), shown, strict=True)] == [anna, ben]
    assert "Issued" in client.get(f"/admin/users/{anna.pk}").content.decode()


def test_a_password_change_is_required(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()
    nobody = people.create(NewPerson(user_id="pin-only"), actor="test")

    page = do(client, "require-password", anna, nobody)
    assert "Left as they were: 1" in page
    assert "This person has no password" in page
    anna.refresh_from_db()
    assert anna.must_change_password


def test_a_locked_account_is_seen_and_unlocked(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()
    for _ in range(limit_options.FAILED_ATTEMPTS.default):
        lock_out.count_attempt("anna", "192.0.2.7")

    assert "Locked until" in client.get(f"/admin/users/{anna.pk}").content.decode()
    assert "Unlocked" in do(client, "unlock", anna)
    assert "Locked until" not in client.get(f"/admin/users/{anna.pk}").content.decode()


def test_disabled_and_enabled_and_never_oneself(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()
    admin = User.objects.get(user_id="admin")

    assert "Nobody disables their own account." in do(client, "disable", admin, anna)
    assert [User.objects.get(pk=user.pk).is_active for user in (admin, anna)] == [True, False]
    do(client, "enable", anna)
    assert User.objects.get(pk=anna.pk).is_active


def test_people_are_deleted_but_not_oneself_and_not_who_has_devices(signed_in: SignedIn) -> None:
    from devices.models import Device

    client, anna, ben, cleo = signed_in(), person(), person("ben"), person("cleo")
    Device.objects.create(user=ben, status=Device.Status.ACTIVE)
    Device.objects.create(user=cleo, status=Device.Status.RETIRED)
    admin = User.objects.get(user_id="admin")

    page = do(client, "delete", admin, anna, ben, cleo)
    assert "Nobody deletes their own account." in page
    assert "This person has devices. Retire them first." in page
    assert "Records of retired devices name this person." in page
    assert set(User.objects.values_list("user_id", flat=True)) == {"admin", "ben", "cleo"}
    assert AuditEntry.objects.filter(action="user.deleted").count() == 1


@pytest.mark.parametrize("action", ["reset-password", "require-password", "disable", "delete", "unlock"])
def test_an_administrator_is_touched_only_by_who_may_appoint(signed_in: SignedIn, action: str) -> None:
    client = signed_in(roles=[AdminRole.USER_VIEW, AdminRole.USER_MANAGE])
    boss = make_administrator("boss")

    assert "Only who manages administrators may do this." in do(client, action, boss)
    assert User.objects.get(pk=boss.pk).check_password(PASSWORD)
    assert User.objects.get(pk=boss.pk).is_active


def test_who_is_disabled_is_signed_out(signed_in: SignedIn) -> None:
    client = signed_in()
    boss = make_administrator("boss")
    browser().post("/admin/sign-in", {"user_id": "boss", "password": PASSWORD}, secure=True)
    assert PortalSession.objects.filter(user=boss).exists()

    do(client, "disable", boss)
    assert not PortalSession.objects.filter(user=boss).exists()


@pytest.mark.parametrize("count", [10, 500])
def test_the_list_costs_the_same_for_many(
    signed_in: SignedIn, django_assert_max_num_queries: object, count: int
) -> None:
    client = signed_in()
    User.objects.bulk_create(User(user_id=f"u{number}") for number in range(count))

    with django_assert_max_num_queries(12):  # type: ignore[operator] # a fixture of pytest-django
        page = client.get("/admin/users").content
    assert len(page) < 60_000
    with django_assert_max_num_queries(12):  # type: ignore[operator] # as above
        client.get(f"/admin/users/{User.objects.latest('pk').pk}")


def test_the_password_policy_holds_for_whoever_is_added_and_is_told(signed_in: SignedIn) -> None:
    client = signed_in()
    settings_store.change("security.password_length", "12", actor="test")
    settings_store.change("security.password_kinds", "3", actor="test")

    assert "at least 12 characters. It holds at least 3 of these" in client.get("/admin/users/add").content.decode()
    for password, status in (("staple-in-a-drawer", 200), ("Staple-1", 200), ("Staple-in-a-drawer", 302)):
        assert client.post("/admin/users/add", NEW | {"password": password, "again": password}).status_code == status


def test_a_password_that_is_handed_out_keeps_to_the_policy_too(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()
    settings_store.change("security.password_length", "40", actor="test")
    settings_store.change("security.password_kinds", "4", actor="test")

    [password] = secrets(do(client, "reset-password", anna))
    assert len(password) >= 40
    assert User.objects.get(pk=anna.pk).check_password(password)


def test_each_entry_says_from_where_it_was_done(signed_in: SignedIn) -> None:
    signed_in().post("/admin/users/add", NEW, REMOTE_ADDR="192.0.2.7")

    assert AuditEntry.objects.get(action="user.created", subject="anna").address == "192.0.2.7"


def test_who_is_deleted_is_typed_out(signed_in: SignedIn) -> None:
    client, anna, ben = signed_in(), person(), person("ben")
    one, two = {"chosen": anna.pk}, {"chosen": f"{anna.pk},{ben.pk}"}

    assert "Type the user ID anna to continue." in client.post("/admin/users/delete", one).content.decode()
    assert "Type the number of people, 2, to continue." in client.post("/admin/users/delete", two).content.decode()
    for sent in (one, one | {"typed": "ann"}, two | {"typed": "anna"}):
        assert client.post("/admin/users/delete", sent | {"go": 1}).status_code == 422
    assert User.objects.filter(user_id__in=["anna", "ben"]).count() == 2


def from_directory(name: str = "carl") -> User:
    user = person(name)
    User.objects.filter(pk=user.pk).update(source=User.Source.LDAP, first_name="Carl")
    user.refresh_from_db()
    return user


def test_the_selector_tells_local_people_from_those_of_a_directory(signed_in: SignedIn) -> None:
    client, anna, carl = signed_in(), person(), from_directory()
    local, directory = (client.get(f"/admin/users{query}").content.decode() for query in ("", "?to=ldap"))

    assert [f"/admin/users/{user.pk}" in local for user in (anna, carl)] == [True, False]
    assert [f"/admin/users/{user.pk}" in directory for user in (anna, carl)] == [False, True]
    client.post("/admin/users/disable", {"all": 1, "matching": "to=ldap"})
    asked = client.post("/admin/users/disable", {"all": 1, "matching": "to=ldap"}).content.decode()
    assert "carl" in asked
    assert "anna" not in asked


def test_a_directory_says_what_its_people_are_called_and_who_is_one_of_them(signed_in: SignedIn) -> None:
    client, carl = signed_in(), from_directory()

    sent = {"first_name": "Karl", "email": "k@x.test", "managed_apple_account": "carl@mdm.example.test"}
    client.post(f"/admin/users/{carl.pk}", sent)
    carl.refresh_from_db()
    assert (carl.first_name, carl.email, carl.managed_apple_account) == ("Carl", "", "carl@mdm.example.test")
    assert "comes from a directory" in do(client, "delete", carl)
    User.objects.filter(pk=carl.pk).update(is_active=False)
    assert "Deleted" in do(client, "delete", carl)


def test_devices_and_failed_sign_ins_of_a_person_are_shown_to_who_may_see_devices(signed_in: SignedIn) -> None:
    from devices.models import Device

    client, anna = signed_in(), person()
    device = Device.objects.create(user=anna, status=Device.Status.ACTIVE, device_name="Anna's phone")
    client.post("/admin/sign-in", {"user_id": "anna", "password": "wrong"})

    page = client.get(f"/admin/users/{anna.pk}").content.decode()
    assert f"/admin/devices/{device.uuid}" in page
    assert "User ID or password was wrong" in page
    helper = signed_in("helper", [AdminRole.USER_VIEW])
    assert "phone" not in helper.get(f"/admin/users/{anna.pk}").content.decode()


@pytest.mark.parametrize(
    "chosen", ["9" * 5000, "-1", "x", "\u0663", ","], ids=["long", "minus", "word", "digit", "comma"]
)
def test_whatever_is_sent_as_a_key_it_is_nobody(signed_in: SignedIn, chosen: str) -> None:
    answer = signed_in().post("/admin/users/delete", {"chosen": chosen, "go": 1})

    assert answer.status_code == 422
    assert "Nobody is selected" in answer.content.decode()


def test_the_list_is_searched(signed_in: SignedIn) -> None:
    client, anna, ben = signed_in(), person(), person("ben")
    page = client.get("/admin/users?q=an").content.decode()

    assert '<input type="search" name="q" value="an"' in page
    assert [f"/admin/users/{user.pk}" in page for user in (anna, ben)] == [True, False]


def with_devices(user: User, number: int) -> None:
    from tests.devices.services.rows import enrolled

    for each in range(number):
        enrolled(user=user, udid=f"{user.user_id}-{each}")


def test_who_has_devices_is_deleted_after_they_are_retired(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devices import tasks  # noqa: F401 - registers the handlers
    from devices.models import Device

    client, anna, ben = signed_in(), person(), person("ben")
    with_devices(anna, 2)
    sent = {"chosen": anna.pk, "typed": "anna", "go": 1}

    assert "Retire their devices first: 2" in client.post("/admin/users/delete", {"chosen": anna.pk}).content.decode()
    assert "Retire their" not in client.post("/admin/users/delete", {"chosen": ben.pk}).content.decode()
    assert "This person has devices. Retire them first." in client.post("/admin/users/delete", sent).content.decode()
    monkeypatch.setattr(portal_sign_in, "CONFIRMED_SECONDS", 0)
    asked = client.post("/admin/users/delete", sent | {"retire": "on"})
    assert (asked.status_code, "Confirm that it is you" in asked.content.decode()) == (422, True)
    assert not Job.objects.filter(kind="devices.retire_of_person").exists()
    told = client.post("/admin/users/delete", sent | {"retire": "on", "password": PASSWORD}).content.decode()
    assert "The devices are being retired. Delete the person when they are gone." in told
    for job in Job.objects.filter(kind="devices.retire_of_person"):
        jobs.run(job.kind, job.arguments)
        jobs.run(job.kind, job.arguments)  # a worker may do it twice
    assert set(Device.objects.values_list("status", flat=True)) == {Device.Status.RETIRE_PENDING}
    assert AuditEntry.objects.filter(action="command.queued", actor="admin").count() == 2
    assert User.objects.filter(user_id="anna").exists()


def test_who_manages_no_devices_retires_none_with_a_person(signed_in: SignedIn) -> None:
    client, anna = signed_in(roles=[AdminRole.USER_MANAGE, AdminRole.USER_VIEW]), person()
    with_devices(anna, 1)
    sent = {"chosen": anna.pk, "typed": "anna", "go": 1, "retire": "on"}

    assert "Retire their" not in client.post("/admin/users/delete", {"chosen": anna.pk}).content.decode()
    assert "This person has devices." in client.post("/admin/users/delete", sent).content.decode()
    assert not Job.objects.filter(kind="devices.retire_of_person").exists()


def test_the_number_of_devices_leads_to_them(signed_in: SignedIn) -> None:
    client, anna, ben = signed_in(), person(), person("ben")
    with_devices(anna, 2)
    with_devices(ben, 1)

    assert f'<a href="/admin/devices?user={anna.pk}">2</a>' in client.get("/admin/users").content.decode()
    assert f"/admin/devices?user={anna.pk}" in client.get(f"/admin/users/{anna.pk}").content.decode()
    page = client.get(f"/admin/devices?user={anna.pk}").content.decode()
    assert page.count('name="row"') == 2
    assert "Devices of anna" in page
    assert client.get("/admin/devices?user=²").content.decode().count('name="row"') == 3
    assert "/admin/devices?user" not in signed_in("helper", [AdminRole.USER_VIEW]).get("/admin/users").content.decode()


def test_the_list_shows_what_administrators_look_for(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person()
    roles.grant(
        anna, [Role.ADDE, Role.PORTAL_LOCK, Role.PORTAL_WIPE], actor="test", managed_apple_account="a@mdm.example.test"
    )

    page = client.get("/admin/users").content.decode()
    assert "Device Enrollment, User Portal (+2)" in page
    headings = re.findall(r"<th scope=\"col\"[^>]*>\s*(?:<a[^>]*>)?([^<\n]+)", page)
    assert headings == [
        "Name", "User ID", "Email", "Source", "Roles", "Managed Apple Account", "Devices", "Last admin login", "State",
    ]  # fmt: skip
    assert f'href="/admin/users/{anna.pk}" class="edit"' in page
