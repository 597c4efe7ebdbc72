"""Attributes that an installation defines, and what is set for people."""

import pytest

from epmm.models import AuditEntry, Job
from users.models import CustomAttribute, User, UserAttribute
from users.services import custom_attributes
from users.services.custom_attributes import InvalidAttribute

pytestmark = pytest.mark.django_db


def attribute(kind: str = "text", name: str = "room") -> CustomAttribute:
    return custom_attributes.define("user", name, kind, actor="admin")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("user", "1room", "text"), "A name begins with a letter"),
        (("user", "my room", "text"), "A name begins with a letter"),
        (("user", "Zimmerüber", "text"), "A name begins with a letter"),
        (("user", "r" * 51, "text"), "at most 50 letters"),
        (("user", "", "text"), "A name begins with a letter"),
        (("label", "room", "text"), "There are attributes of users and devices"),
        (("user", "room", "list"), "There are attributes of users and devices"),
        (("user", "TAKEN", "text"), "There is a custom attribute TAKEN already."),
    ],
)
def test_what_cannot_be_defined_is_said(given: tuple[str, str, str], told: str) -> None:
    attribute(name="taken")

    with pytest.raises(InvalidAttribute, match=told):
        custom_attributes.define(*given, actor="admin")
    with pytest.raises(InvalidAttribute, match="at most 500"):
        custom_attributes.define("user", "fine", "text", description="x" * 501, actor="admin")
    assert CustomAttribute.objects.count() == 1


def test_devices_may_have_one_of_the_same_name() -> None:
    attribute(name="room")

    custom_attributes.define("device", "room", "number", actor="admin")
    assert [str(each) for each in CustomAttribute.objects.order_by("subject")] == [
        "custom.device.room",
        "custom.user.room",
    ]


def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_attributes, "MOST", 2)
    attribute(name="a")
    attribute(name="b")

    with pytest.raises(InvalidAttribute, match="at most 2"):
        attribute(name="c")
    custom_attributes.define("device", "c", "text", actor="admin")


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("text", "  Hall 7 ", "Hall 7"),
        ("number", "3.50", "3.5"),
        ("number", "-0", "0"),
        ("number", "100", "100"),
        ("number", "0.00001", "0.00001"),
        ("date", "2026-02-28", "2026-02-28"),
        ("boolean", "True", "true"),
        ("text", "   ", None),
        ("number", "", None),
    ],
)
def test_a_value_is_kept_as_it_reads_again(kind: str, typed: str, kept: str | None) -> None:
    stored = custom_attributes.stored(attribute(kind), typed)

    assert (stored and stored.text) == kept
    if stored:
        assert custom_attributes.stored(CustomAttribute(kind=kind), stored.text) == stored


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("text", "x" * 256),
        ("text", "two\nlines"),
        ("text", "nul\0"),
        ("number", "many"),
        ("number", "1,5"),
        ("number", "1e5"),
        ("number", "nan"),
        ("number", "9" * 16),
        ("number", "٣"),
        ("date", "31.01.2026"),
        ("date", "2026-02-29"),
        ("date", "1969-12-31"),
        ("date", "9000-01-01"),
        ("boolean", "yes"),
    ],
)
def test_a_value_of_another_kind_is_refused_and_changes_nothing(kind: str, typed: str) -> None:
    wrong, right = attribute(kind), attribute(name="fine")
    anna = User.objects.create(user_id="anna")

    with pytest.raises(InvalidAttribute, match="room"):
        custom_attributes.set_for_user(anna, {right: "x", wrong: typed}, actor="admin")
    assert not UserAttribute.objects.exists()


def test_what_is_set_is_audited_by_name_and_the_devices_hear_of_it() -> None:
    room, shoes = attribute(), attribute("number", "shoes")
    anna = User.objects.create(user_id="anna")
    Job.objects.all().delete()

    assert custom_attributes.set_for_user(anna, {room: "Hall 7", shoes: "38"}, actor="admin") == ["room", "shoes"]
    assert custom_attributes.set_for_user(anna, {room: "Hall 7", shoes: ""}, actor="admin") == ["shoes"]
    assert custom_attributes.set_for_user(anna, {room: "Hall 7"}, actor="admin") == []
    assert custom_attributes.texts_of(anna.custom_attributes.all()) == {room.pk: "Hall 7"}
    assert Job.objects.filter(kind="devices.person_named", arguments={"user": anna.pk}).count() == 2
    assert [entry.details for entry in AuditEntry.objects.filter(action="user.attributes_set").order_by("pk")] == [
        {"changed": ["room", "shoes"]},
        {"changed": ["shoes"]},
    ]


def test_a_description_is_changed_and_a_definition_takes_its_values_along() -> None:
    room, anna = attribute(), User.objects.create(user_id="anna")
    custom_attributes.set_for_user(anna, {room: "Hall 7"}, actor="admin")

    custom_attributes.describe(room, "Where somebody sits", actor="admin")
    custom_attributes.forget(room, actor="admin")
    assert not UserAttribute.objects.exists()
    assert [entry.action for entry in AuditEntry.objects.filter(subject_type="attribute").order_by("pk")] == [
        "attribute.defined",
        "attribute.described",
        "attribute.deleted",
    ]
