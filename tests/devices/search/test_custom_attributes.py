"""What an installation has defined is searched as everything else: as plain Python answers, on either database."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.models import Device, DeviceAttribute
from devices.search import custom
from devices.search.catalogue import FIELDS
from devices.search.compile import Moment, compiled
from devices.search.fields import Group, Registry
from devices.search.language import parse
from devices.search.tree import All, AnyOf, Node, Not, Test, write
from devices.services import custom_attributes as of_devices
from devices.services import label_members, labels, search
from devices.services.search import SearchRefused
from tests.devices.search import reference
from tests.devices.search.finding import find
from tests.devices.search.fleet import NAMES, fleet
from tests.devices.search.reference import NOW
from tests.devices.services.rows import person
from users.models import CustomAttribute
from users.services import custom_attributes as of_users
from users.services.custom_attributes import InvalidAttribute

pytestmark = pytest.mark.django_db
MOMENT = Moment(now=NOW, zone=UTC)
VALUES = {
    "text": (*(name for name in NAMES if name), "100", "iphone VON MÜLLER"),
    "number": ("0", "-0", "3.5", "57", "-1", "0.1", "999999999999999", "+3.50"),
    "date": ("2026-11-22", "2026-11-16", "2026-11-15", "1970-01-01", "2040-02-29"),
    "boolean": ("true", "false", "TRUE"),
}
ASKED = {
    "text": (*NAMES, "müller", "%", "_", "\\", "SS", "ς", "10"),
    "number": ("0", "3.5", "57", "-1", "0.1", "999999999999999", "4"),
    "date": ("2026-11-22", "2026-11-16", "2026-11-16T00:00:00+00:00", "2026-11-16T00:00:01+00:00", "now-6d", "now-0d"),
    "boolean": ("true", "False"),
}
KEYS = [f"custom.{subject}.{kind}" for subject in ("device", "user") for kind in VALUES]
READ: dict[str, Any] = {
    "text": lambda text: text,
    "number": float,
    "date": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    "boolean": lambda text: text.lower() == "true",
}


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    """Devices and people with attributes of each kind, some of them unset; the reference knows them, too."""
    devices, dice = fleet(), Random(7)
    for key in KEYS:
        _custom, subject, kind = key.split(".")
        attribute = of_users.define(subject, kind, kind, actor="test")
        of_users.define(subject, f"other_{kind}", kind, actor="test")
        owned: dict[int, str] = {}
        for owner in devices if subject == "device" else {device.user for device in devices}:
            if dice.random() < 0.7:
                owned[owner.pk] = dice.choice(VALUES[kind])
                texts = {attribute: owned[owner.pk]}
                if isinstance(owner, Device):
                    of_devices.set_for_device(owner, texts, actor="test")
                else:
                    of_users.set_for_user(owner, texts, actor="test")
        _teach(monkeypatch, key, kind, owned, "pk" if subject == "device" else "user_id")
    return devices


def _teach(monkeypatch: pytest.MonkeyPatch, key: str, kind: str, owned: dict[int, str], owner: str) -> None:
    def value(device: Device) -> Any:
        text = owned.get(getattr(device, owner))
        return None if text is None else READ[kind](text)

    match kind:
        case "text":
            monkeypatch.setitem(reference.TEXTS, key, (reference.any_case, lambda device: value(device) or ""))
        case "number":
            monkeypatch.setitem(reference.NUMBERS, key, value)
        case "date":
            monkeypatch.setitem(reference.DATES, key, value)
        case _:
            monkeypatch.setitem(reference.FLAGS, key, value)


def answer(node: Node, fields: Registry) -> set[int]:
    return set(Device.objects.filter(compiled(node, fields, MOMENT)).values_list("pk", flat=True))


@pytest.mark.parametrize("key", KEYS)
def test_each_value_with_each_operator(installation: list[Device], key: str) -> None:
    fields = custom.fields()

    for operator in fields[key].operators:
        for value in ASKED[key.rpartition(".")[2]] if operator.takes_value else ("",):
            test = Test(field=key, operator=operator, value=value)
            meant = reference.chosen(test, installation)
            assert answer(test, fields) == meant, write(test)
            assert answer(Not(test), fields) == {each.pk for each in installation} - meant, write(test)


def test_the_database_answers_as_plain_python_does(installation: list[Device]) -> None:
    fields = custom.fields()

    @st.composite
    def comparisons(draw: st.DrawFn) -> Test:
        key = draw(st.sampled_from([*KEYS, "common.retired"]))
        operator = draw(st.sampled_from(fields[key].operators))
        value = draw(st.sampled_from(ASKED.get(key.rpartition(".")[2], ASKED["boolean"])))
        return Test(field=key, operator=operator, value=value if operator.takes_value else "")

    trees = st.recursive(
        comparisons(),
        lambda nodes: (
            nodes.map(Not)
            | st.lists(nodes, min_size=2, max_size=3).map(lambda parts: All(tuple(parts)))
            | st.lists(nodes, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
        ),
        max_leaves=4,
    )

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(trees)
    def agree(node: Node) -> None:
        again = parse(write(node), fields)
        assert again == node
        assert answer(again, fields) == reference.chosen(node, installation), write(node)

    agree()


def test_a_field_is_there_with_its_definition_and_gone_with_it() -> None:
    hall = Device.objects.create(user=person())
    with pytest.raises(SearchRefused, match="Unknown field"):
        search.count('custom.device.room = "Hall 7"')

    room = of_users.define("device", "Room", "text", actor="test")
    of_devices.set_for_device(hall, {room: "Hall 7"}, actor="test")
    assert find('"custom.device.ROOM" = "hall 7"').rows == [hall]
    assert custom.fields()["custom.device.Room"].group == Group.CUSTOM
    with pytest.raises(SearchRefused, match=r'Did you mean "custom\.device\.Room"'):
        search.count("custom.device.rom = x")
    of_devices.delete(room, actor="test")
    with pytest.raises(SearchRefused, match="Unknown field"):
        search.count('custom.device.Room = "Hall 7"')
    assert not DeviceAttribute.objects.exists()


def test_who_asks_for_none_does_not_wait_for_them(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        search.condition("common.retired = false")
    with django_assert_num_queries(1):  # of attributes
        search.condition('NOT "common.uuid" = x AND customer')
    with django_assert_num_queries(2):  # of directories, too
        search.condition('customer OR "user.LDAP.groups.name" = x')


@pytest.mark.parametrize(("kind", "value"), [("text", "x"), ("number", "3"), ("date", "today"), ("boolean", "true")])
@pytest.mark.parametrize("subject", ["device", "user"])
def test_a_value_leads_to_its_devices_through_an_index(subject: str, kind: str, value: str) -> None:
    of_users.define(subject, "mine", kind, actor="test")
    if connection.vendor == "postgresql":  # which walks through a table that is empty
        connection.cursor().execute("SET LOCAL enable_seqscan = off")

    plan = search.matching(f"custom.{subject}.mine = {value}", exclude_retired=False).explain()
    # which of an attribute's indexes serves best, PostgreSQL decides by how its values are spread
    column = "" if connection.vendor == "postgresql" else {"date": "day", "boolean": "number"}.get(kind, kind)
    assert f"{subject}_attribute_{column}" in plan


def test_a_label_follows_what_is_set_for_devices_and_people() -> None:
    anna = person("anna")
    device = Device.objects.create(user=anna)
    Device.objects.update(modified_at=NOW)
    room, staff = (of_users.define(*each, actor="test") for each in (("device", "r", "text"), ("user", "s", "boolean")))
    label = labels.create("Hall", criteria='"custom.device.r" = x AND "custom.user.s" = true', actor="test")
    assert not label_members.members(label).exists()

    of_devices.set_for_device(device, {room: "x"}, actor="test")
    of_users.set_for_user(anna, {staff: "true"}, actor="test")
    assert list(label_members.members(label)) == [device]
    device.refresh_from_db()
    assert device.modified_at > NOW


def test_what_a_label_names_is_not_deleted() -> None:
    room = of_users.define("device", "room", "text", actor="test")
    of_users.define("user", "room", "text", actor="test")
    labels.create("Halls", criteria='NOT (common.retired = true OR "custom.device.ROOM" contains hall)', actor="test")
    labels.create("Of people", criteria='"custom.user.room" = x', actor="test")
    labels.create("By hand", actor="test")

    assert of_devices.labels_naming(room) == ["Halls"]
    with pytest.raises(InvalidAttribute, match=r"The criteria of labels name it: Halls\. Change them first\."):
        of_devices.delete(room, actor="test")
    labels.delete(labels.find("Halls"), actor="test")
    of_devices.delete(room, actor="test")
    assert [str(each) for each in CustomAttribute.objects.all()] == ["custom.user.room"]


def test_the_fields_of_every_installation_stay_as_they_are() -> None:
    of_users.define("device", "room", "text", actor="test")

    assert FIELDS.resolve("custom.device.room") is None
