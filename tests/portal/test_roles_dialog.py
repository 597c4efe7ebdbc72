"""Users > Actions > Assign Roles, as an administrator fills it in."""

import re

import pytest
from django.test import Client
from lxml import html

from devices import tasks  # noqa: F401 - registers the handlers
from devices.models import Command, Device, Enrollment
from epmm import jobs, options, settings_store
from epmm.models import AuditEntry, Job
from tests.devices.services.rows import enrolled
from tests.portal.conftest import PASSWORD, SignedIn
from users.errors import InvalidAccount
from users.models import AdminRole, Role, User
from users.services import accounts, people, portal_sign_in, roles
from users.services.people import NewPerson

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/admin/users/roles"


def person(name: str, email: str = "", account: str = "", keys: tuple[str, ...] = ()) -> User:
    user = people.create(NewPerson(user_id=name, email=email, managed_apple_account=account or None), actor="test")
    roles.grant(user, keys, actor="test")
    return user


def dialog(client: Client, *chosen: User, **sent: object) -> html.HtmlElement:
    """The dialog for these people; with `granted` and the like, after Save."""
    keys = ",".join(str(user.pk) for user in chosen)
    answer = client.post(ADDRESS, {"chosen": keys, **sent})
    return html.fromstring(f"<div>{answer.content.decode()}</div>")


def save(client: Client, *chosen: User, **sent: object) -> html.HtmlElement:
    """What comes of it: the dialog is opened, filled in and saved.  `account` is of the only one that is chosen."""
    page = dialog(client, *chosen)
    opened: dict[str, object] = {
        str(each.get("name")): each.get("value") for each in page.xpath("//input[starts-with(@name, 'account_')]")
    }
    opened |= {name: page.xpath(f"//input[@name='{name}']/@value") for name in ("was", "was_mixed")}
    typed = {f"account_{chosen[0].pk}": sent.pop("account")} if "account" in sent else {}
    return dialog(client, *chosen, go=1, **(opened | typed | {"source": "keep"} | sent))


def words(page: html.HtmlElement) -> str:
    return " ".join(page.text_content().split())


def held(user: User) -> set[str]:
    return set(User.objects.get(pk=user.pk).role_keys())


def account(user: User) -> str | None:
    return User.objects.get(pk=user.pk).managed_apple_account


def test_one_person_gets_a_role_with_an_account(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person("anna")

    assert "Assign Roles: anna" in words(dialog(client, anna))
    sent = {"go": 1, "chosen": anna.pk, "granted": ["portal", "apple.adde"], "was": ["portal"], "source": "typed"}
    typed = {f"account_{anna.pk}": "Anna@mdm.example.test", f"account_was_{anna.pk}": ""}
    assert client.post(ADDRESS, sent | typed)["HX-Refresh"] == "true"
    assert (held(anna), account(anna)) == ({"portal", "apple.adde"}, "anna@mdm.example.test")
    assert AuditEntry.objects.filter(action="roles.granted", actor="admin", subject="anna").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "Enter the Managed Apple Account this person signs in with, for example name@mdm.example.test."),
        ("anna", "Enter the Managed Apple Account"),
        ("anna@elsewhere.test", "does not belong to an enrollment domain of this server (mdm.example.test)"),
        ("ben@mdm.example.test", "Another user (ben) already has this Managed Apple Account."),
    ],
)
def test_a_wrong_account_is_told_and_changes_nothing(signed_in: SignedIn, typed: str, told: str) -> None:
    client, anna = signed_in(), person("anna")
    person("ben", account="ben@mdm.example.test")

    page = save(client, anna, granted=["portal", "apple.adde"], source="typed", account=typed)
    assert told in words(page)
    assert page.xpath(f"//input[@name='account_{anna.pk}']/@value") == [typed]
    assert page.xpath("//input[@value='apple.adde']/@checked")
    assert (held(anna), account(anna)) == ({"portal"}, None)


def test_a_mixed_box_stays_as_it_is_until_it_is_touched(signed_in: SignedIn) -> None:
    client = signed_in()
    anna, ben = person("anna", keys=(Role.PORTAL_LOCK,)), person("ben")

    page = dialog(client, anna, ben)
    assert page.xpath("//input[@data-mixed='mixed']/@value") == ["portal.lock"]
    assert page.xpath("//input[@name='mixed' and not(@disabled)]/@value") == ["portal.lock"]
    save(client, anna, ben, granted=["portal", "portal.locate"], mixed=["portal.lock"])
    assert held(anna) == {"portal", "portal.lock", "portal.locate"}
    assert held(ben) == {"portal", "portal.locate"}
    save(client, anna, ben, granted=["portal", "portal.lock"])
    assert held(anna) == held(ben) == {"portal", "portal.lock"}


def test_without_the_portal_nothing_that_is_done_there_is_left(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person("anna", keys=(Role.PORTAL_LOCK, Role.PORTAL_WIPE))

    save(client, anna)
    assert held(anna) == set()


def test_a_pattern_is_previewed_and_nothing_is_saved_before_all_can_be(signed_in: SignedIn) -> None:
    client = signed_in()
    anna, ben, cleo = person("anna"), person("ben"), person("cleo")
    person("holder", account="ben@mdm.example.test")
    sent = {"granted": ["portal", "apple.adde"], "source": "pattern", "pattern": "{user_id}@{domain}"}

    shown = client.post(f"{ADDRESS}/preview", {"chosen": f"{anna.pk},{ben.pk}", **sent}).content.decode()
    assert "anna@mdm.example.test" in shown
    assert "Another user (holder) already has" in shown
    assert account(anna) is None

    page = save(client, anna, ben, cleo, **sent)
    assert "Cannot be saved like this: 1. Nothing has been saved." in words(page)
    assert account(anna) is None
    result = words(save(client, anna, ben, cleo, skip=1, **sent))
    assert "Roles saved for people: 2" in result
    assert "Left as they were: 1" in result
    assert [account(user) for user in (anna, ben, cleo)] == ["anna@mdm.example.test", None, "cleo@mdm.example.test"]
    assert held(ben) == {"portal"}


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("same@{domain}", "Several of the chosen people would get this account."),
        ("{password}@{domain}", "{password} stands for nothing."),
        ("{user_id.__class__}@{domain}", "{user_id.__class__} stands for nothing."),
        ("{first_name}@{domain}", "nothing to put in the place of {first_name}"),
        ("{user_id}", "Enter the Managed Apple Account"),
    ],
)
def test_a_pattern_that_leads_nowhere_is_told(signed_in: SignedIn, pattern: str, told: str) -> None:
    client, anna, ben = signed_in(), person("anna"), person("ben")

    page = save(client, anna, ben, granted=["apple.adde"], source="pattern", pattern=pattern, skip=1)
    assert told in words(page)
    assert account(anna) is account(ben) is None


def test_accounts_come_from_the_email_address_and_stand_unless_replaced(signed_in: SignedIn) -> None:
    client = signed_in()
    anna = person("anna", email="anna@mdm.example.test", account="old@mdm.example.test")
    ben = person("ben", email="ben@mdm.example.test")
    sent = {"granted": ["portal", "apple.aaue"], "source": "attribute", "attribute": "mail"}

    save(client, anna, ben, **sent)
    assert (account(anna), account(ben)) == ("old@mdm.example.test", "ben@mdm.example.test")
    save(client, anna, ben, replaces=1, **sent)
    assert account(anna) == "anna@mdm.example.test"


def test_the_name_in_the_directory_is_an_account_and_another_one_is_a_warning(signed_in: SignedIn) -> None:
    client = signed_in()
    anna, ben = person("anna"), person("ben")
    User.objects.filter(pk=anna.pk).update(upn="Anna.Ito@mdm.example.test")
    sent = {"granted": ["portal", "apple.adde"], "source": "attribute", "attribute": "userPrincipalName"}

    assert "This person has no userPrincipalName." in words(save(client, anna, ben, **sent))
    assert account(anna) is None
    save(client, anna, ben, skip=1, **sent)
    assert (account(anna), account(ben)) == ("anna.ito@mdm.example.test", None)
    shown = client.post(
        f"{ADDRESS}/preview",
        {"chosen": anna.pk, **sent, "source": "pattern", "replaces": 1, "pattern": "{user_id}@{domain}"},
    )
    assert "The directory knows this person as Anna.Ito@mdm.example.test." in shown.content.decode()
    save(client, anna, **sent | {"source": "typed"}, account="anna@mdm.example.test")
    assert account(anna) == "anna@mdm.example.test"


def test_each_of_several_gets_an_account_that_is_typed(signed_in: SignedIn) -> None:
    client = signed_in()
    anna, ben = person("anna", account="anna@mdm.example.test"), person("ben")

    typed = {f"account_{ben.pk}": "benno@mdm.example.test"}
    save(client, anna, ben, granted=["portal", "apple.adde"], source="typed", **typed)
    assert (account(anna), account(ben)) == ("anna@mdm.example.test", "benno@mdm.example.test")
    assert held(anna) == held(ben) == {"portal", "apple.adde"}
    many = [person(f"p{number}") for number in range(51)]
    assert 'value="typed"' not in html.tostring(dialog(client, *many)).decode()


def test_an_account_that_is_emptied_goes_with_the_role_that_needed_it(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person("anna", account="anna@mdm.example.test", keys=(Role.ADDE,))

    page = save(client, anna, granted=["portal", "apple.adde"], source="typed", account="")
    assert "Enter the Managed Apple Account this person signs in with" in words(page)
    save(client, anna, granted=["portal"], source="typed", account="")
    assert (held(anna), account(anna)) == ({"portal"}, None)


def test_what_somebody_else_grants_meanwhile_stays(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person("anna", account="anna@mdm.example.test", keys=(Role.PORTAL_LOCK,))
    opened = {"go": 1, "was": ["portal", "portal.lock"], f"account_was_{anna.pk}": "anna@mdm.example.test"}

    roles.grant(anna, [Role.PORTAL_WIPE, Role.ADDE], actor="another")
    roles.remove(anna, [Role.PORTAL_LOCK], actor="another")
    accounts.assign(anna, "other@mdm.example.test", actor="another")
    dialog(
        client, anna, **opened, granted=["portal", "portal.lock", "portal.locate"], source="typed",
        **{f"account_{anna.pk}": "anna@mdm.example.test"},
    )  # fmt: skip
    assert held(anna) == {"portal", "portal.wipe", "portal.locate", "apple.adde"}
    assert account(anna) == "other@mdm.example.test"


def test_a_role_without_effect_has_a_yellow_note_and_two_say_which_wins(signed_in: SignedIn) -> None:
    client, anna = signed_in(), person("anna", account="anna@mdm.example.test")
    off = (
        "Account-driven device enrollment is switched off. The role is saved but has no effect until it is switched on."
    )

    def shown(*granted: str) -> str:
        sent = {"chosen": anna.pk, "was": "portal", "granted": granted}
        return words(html.fromstring(client.post(f"{ADDRESS}/preview", sent).content.decode()))

    assert off not in words(dialog(client, anna))
    assert f"{off} Open the switch" in shown("portal", "apple.adde")
    assert "Account-driven user enrollment is switched off." in shown("apple.aaue")
    assert "device enrollment wins" not in shown("apple.aaue")
    assert "With both roles, device enrollment wins." in shown("apple.aaue", "apple.adde")
    settings_store.change(options.ADDE.name, "on", actor="test")
    assert "device enrollment is switched off" not in shown("apple.adde").replace("device enrollment wins", "")
    roles.grant(anna, [Role.AAUE], actor="test")
    assert "Account-driven user enrollment is switched off." in words(dialog(client, anna))


@pytest.mark.parametrize("source", ["typed", "keep", "attribute", "pattern"])
def test_a_role_is_revoked_and_its_devices_go_after_a_password(signed_in: SignedIn, source: str) -> None:
    client = signed_in()
    anna = person("anna", account="anna@mdm.example.test", keys=(Role.ADDE,))
    device = enrolled(user=anna).device
    assert device
    enrolled(kind=Enrollment.Kind.AAUE, user=anna)
    sent = {"granted": ["portal"], "source": source, "retires": "apple.adde", "was": ["portal", "apple.adde"]}

    shown = client.post(f"{ADDRESS}/preview", {"chosen": anna.pk, **sent}).content.decode()
    assert "Also retire the devices that were enrolled with the role" in shown
    session = client.session  # as if the sign-in were long ago
    session[portal_sign_in.CONFIRMED] = 0
    session.save()
    page = save(client, anna, **sent)
    assert "Confirm that it is you" in words(page)
    assert held(anna) == {"portal", "apple.adde"}
    save(client, anna, **sent, password=PASSWORD)
    assert held(anna) == {"portal"}
    for job in Job.objects.filter(kind="devices.role_revoked"):
        jobs.run(job.kind, job.arguments)
    device.refresh_from_db()
    assert device.status == Device.Status.RETIRE_PENDING
    assert [each.request_type for each in Command.objects.all()] == ["RemoveProfile"]


def test_all_that_match_are_meant_and_they_stay_the_same(signed_in: SignedIn) -> None:
    client = signed_in()
    chosen = [person(f"anna{number}") for number in range(3)]
    person("ben")

    answer = client.post(ADDRESS, {"row": chosen[0].pk, "all": 1, "matching": "q=anna&size=25"}).content.decode()
    assert "Assign Roles: 3 users" in answer
    keys = re.findall(r'name="chosen" value="([0-9,]+)"', answer)[0]
    assert sorted(map(int, keys.split(","))) == sorted(user.pk for user in chosen)


@pytest.mark.parametrize("sent", [{}, {"row": "x"}, {"chosen": ""}, {"row": str(1 << 70)}, {"row": "²"}])
def test_nobody_is_refused(signed_in: SignedIn, sent: dict[str, str]) -> None:
    answer = signed_in().post(ADDRESS, sent)

    assert answer.status_code == 422
    assert "Nobody is selected" in answer.content.decode()


def test_the_dialog_costs_the_same_for_many(signed_in: SignedIn, django_assert_max_num_queries: object) -> None:
    client = signed_in()
    User.objects.bulk_create(User(user_id=f"u{number}") for number in range(600))
    sent = {"all": "1", "matching": "q=u", "source": "pattern", "pattern": "{user_id}@{domain}"}

    with django_assert_max_num_queries(12):  # type: ignore[operator] # a fixture of pytest-django
        answer = client.post(f"{ADDRESS}/preview", sent | {"granted": "apple.adde"})
    assert len(answer.content) < 60_000
    with django_assert_max_num_queries(12):  # type: ignore[operator] # as above
        assert len(client.post(ADDRESS, sent).content) < 60_000


def test_only_who_manages_people_assigns_roles(signed_in: SignedIn) -> None:
    client, anna = signed_in(roles=[AdminRole.USER_VIEW]), person("anna")

    assert client.post(ADDRESS, {"row": anna.pk}).status_code == 403
    assert "Assign Roles" not in client.get("/admin/users").content.decode()


def test_an_account_is_not_cleared_while_a_role_needs_it() -> None:
    anna = person("anna", account="anna@mdm.example.test", keys=(Role.ADDE,))

    with pytest.raises(InvalidAccount, match="remove the role first"):
        accounts.clear(anna, actor="test")
    roles.remove(anna, [Role.ADDE], actor="test")
    accounts.clear(anna, actor="test")
    assert account(anna) is None
