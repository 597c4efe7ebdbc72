"""Devices by what a directory knows of their people, on both databases alike."""

import pytest

from devices.models import Device
from devices.search import custom
from devices.services.search import SearchRefused, matching
from epmm import masking
from epmm.folding import fold
from tests import factories
from users.models import Directory, Group, User

pytestmark = pytest.mark.django_db


def device(user: User) -> Device:
    return Device.objects.create(user=user)


@pytest.fixture
def devices() -> dict[str, Device]:
    """Of Anna, of Bert who is in no group, and of somebody local."""
    directory = Directory.objects.create(name="Example", searched_attributes=["departmentNumber", "title"])
    people = {name: factories.user(name, source="ldap") for name in ("anna", "bert")} | {"carl": factories.user("carl")}
    for name, attribute, text in (
        ("anna", "dn", "uid=anna,ou=Vertrieb Süd,dc=example"),
        ("anna", "samaccountname", "ANNA"),
        ("anna", "departmentnumber", "12"),
        ("anna", "departmentnumber", "Außendienst"),
        ("bert", "dn", "uid=bert,ou=people,dc=example"),
        ("bert", "departmentnumber", "7"),
    ):
        people[name].directory_values.create(name=attribute, text=text, folded=fold(text))
    for number, group_name in enumerate(("Straße", "Sales West")):
        group = Group.objects.create(directory=directory, external_id=str(number), name=group_name)
        group.memberships.create(user=people["anna"])
    unit = Group.objects.create(directory=directory, external_id="9", name="Unit", kind=Group.Kind.UNIT)
    unit.memberships.create(user=people["bert"])
    return {name: device(user) for name, user in people.items()}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('user.ldap.groups.name = "sales west"', "anna"),
        ('user.ldap.groups.name = "STRASSE"', "anna"),
        ('user.ldap.groups.name "contains" "west"', "anna"),
        ('user.ldap.groups.name "starts with" "west"', ""),
        ('user.ldap.groups.name "does not contain" "west"', "bert carl"),
        ('user.ldap.groups.name != "Sales West"', "bert carl"),
        ('user.ldap.groups.name "is empty"', "bert carl"),
        ('user.ldap.groups.name "is not empty"', "anna"),
        ('user.ldap.groups.name = "unit"', ""),
        ("user.ldap.departmentNumber = 12", "anna"),
        ("USER.LDAP.DEPARTMENTNUMBER = 7", "bert"),
        ('user.ldap.departmentNumber = "AUSSENDIENST"', "anna"),
        ("user.ldap.departmentNumber != 12", "bert carl"),
        ('user.ldap.departmentNumber "is empty"', "carl"),
        ('user.ldap.title "is empty"', "anna bert carl"),
        ('user.dn "contains" "ou=vertrieb süd"', "anna"),
        ('user.dn "starts with" "UID=bert"', "bert"),
        ('user.dn "is empty"', "carl"),
        ("user.sam_account_name = anna", "anna"),
        ("user.sam_account_name != anna", "bert carl"),
        ('NOT user.ldap.departmentNumber = 12 AND user.ldap.groups.name "is empty"', "bert carl"),
    ],
)
def test_devices_are_found_by_what_a_directory_knows(
    devices: dict[str, Device], expression: str, expected: str
) -> None:
    found = set(matching(expression).values_list("pk", flat=True))

    assert found == {devices[name].pk for name in expected.split()}


def test_an_attribute_that_no_directory_keeps_is_no_field(devices: dict[str, Device]) -> None:
    with pytest.raises(SearchRefused):
        matching("user.ldap.shoeSize = 42")


def test_two_directories_may_keep_the_same_attribute(devices: dict[str, Device]) -> None:
    Directory.objects.create(name="Second", searched_attributes=["Title", "groups.name"])

    keys = [field.key for field in custom.fields().fields if field.key.startswith("user.ldap.")]
    assert keys == ["user.ldap.groups.name", "user.ldap.departmentNumber", "user.ldap.title"]


@pytest.mark.parametrize("field", ["user.ldap.departmentNumber", "user.dn", "user.sam_account_name"])
def test_what_is_hidden_from_somebody_cannot_be_guessed_at(devices: dict[str, Device], field: str) -> None:
    with masking.hiding({"name", "user_id"}), pytest.raises(SearchRefused):
        matching(f"{field} = 12")
