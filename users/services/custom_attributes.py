"""Custom attributes: defined, and set for people (portal specification, 7.3 and section 9)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from epmm import audit
from epmm.folding import fold
from epmm.models import Job
from epmm.numbers import grouped
from users.attribute_models import LONGEST_TEXT
from users.errors import InvalidPerson
from users.models import AttributeValue, CustomAttribute, User, UserAttribute

MOST: Final = 50  # of people, and of devices: each is a field of a form and a column of a list
LONGEST_NAME: Final = 50
LONGEST_DESCRIPTION: Final = 500
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
NUMBER: Final = re.compile(r"[+-]?\d{1,16}(\.\d{1,16})?", re.ASCII)
DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LARGEST: Final = 1e15  # below it a number is exact, and the search compares with no larger one
YEARS: Final = range(1970, 9000)  # that the search compares with
FLAGS: Final = {"true": 1.0, "false": 0.0}


class InvalidAttribute(InvalidPerson):
    """An attribute cannot be defined, or a value not be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A value as the columns take it."""

    text: str
    folded: str = ""
    number: float | None = None
    day: date | None = None


def defined(subject: str) -> list[CustomAttribute]:
    return list(CustomAttribute.objects.filter(subject=subject).order_by("name"))


@transaction.atomic
def define(subject: str, name: str, kind: str, *, description: str = "", actor: str) -> CustomAttribute:
    """Raises InvalidAttribute."""
    _check_name(name)
    _check_description(description)
    if subject not in CustomAttribute.Subject.values or kind not in CustomAttribute.Kind.values:
        raise InvalidAttribute(_("There are attributes of users and devices: text, number, date and boolean."))
    if CustomAttribute.objects.filter(subject=subject).count() >= MOST:
        raise InvalidAttribute(_("There are at most {n} custom attributes of each kind of subject.").format(n=MOST))
    try:
        with transaction.atomic():
            attribute = CustomAttribute.objects.create(subject=subject, name=name, kind=kind, description=description)
    except IntegrityError as error:
        raise InvalidAttribute(_("There is a custom attribute {name} already.").format(name=name)) from error
    _record("attribute.defined", attribute, actor, kind=kind)
    return attribute


@transaction.atomic
def describe(attribute: CustomAttribute, description: str, *, actor: str) -> None:
    """The description alone is changed: name and kind stay.  Raises InvalidAttribute."""
    _check_description(description)
    if attribute.description != description:
        attribute.description = description
        attribute.save(update_fields=["description"])
        _record("attribute.described", attribute, actor)


@transaction.atomic
def forget(attribute: CustomAttribute, *, actor: str) -> None:
    """The definition goes, and all values with it.  Whether something names it, devices know."""
    _record("attribute.deleted", attribute, actor)
    attribute.delete()


def stored(attribute: CustomAttribute, text: str) -> Stored | None:
    """What was typed, as it is kept; None: nothing is set.  Raises InvalidAttribute."""
    text = text.strip()
    if not text:
        return None
    match attribute.kind:
        case CustomAttribute.Kind.NUMBER:
            return _number(attribute, text)
        case CustomAttribute.Kind.DATE:
            return _day(attribute, text)
        case CustomAttribute.Kind.BOOLEAN:
            return _flag(attribute, text)
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise InvalidAttribute(
            _("{name} has at most {n} characters and no line breaks.").format(
                name=attribute.name, n=grouped(LONGEST_TEXT)
            )
        )
    return Stored(text=text, folded=fold(text))


@transaction.atomic
def set_for_user(user: User, texts: Mapping[CustomAttribute, str], *, actor: str) -> list[str]:
    """The names of what has changed.  An empty text takes a value away.  Raises InvalidAttribute."""
    changed = write(UserAttribute, {"user": user}, texts)
    if changed:
        # labels may ask for them; the records of devices belong to another app, and the handler of this kind with them
        Job.enqueue("devices.person_named", user=user.pk)
        audit.record(
            "user.attributes_set",
            actor=actor,
            subject_type="user",
            subject=user.user_id,
            details={"changed": changed},
        )
    return changed


def write(model: type[AttributeValue], owner: Mapping[str, Any], texts: Mapping[CustomAttribute, str]) -> list[str]:
    """Bring the rows of one person or device up to these texts; the names of what has changed."""
    values = {attribute: stored(attribute, text) for attribute, text in texts.items()}
    rows = model.objects.filter(**owner, attribute__in=values)
    before = dict(rows.values_list("attribute", "text"))
    changed = [each for each, value in values.items() if before.get(each.pk, "") != (value.text if value else "")]
    for attribute in changed:
        value = values[attribute]
        if value is None:
            rows.filter(attribute=attribute).delete()
        else:
            columns = {name: getattr(value, name) for name in ("text", "folded", "number", "day")}
            model.objects.update_or_create(**owner, attribute=attribute, defaults=columns)
    return sorted(attribute.name for attribute in changed)


def texts_of(values: Iterable[AttributeValue]) -> dict[int, str]:
    """What one has, by the key of the attribute."""
    return {value.attribute_id: value.text for value in values}


def _number(attribute: CustomAttribute, text: str) -> Stored:
    if not NUMBER.fullmatch(text) or abs(float(text)) > LARGEST:
        raise InvalidAttribute(_("{name} is a number, for example 12 or 3.5.").format(name=attribute.name))
    shortest = Decimal(text).normalize() + 0  # no minus before a zero
    return Stored(text=f"{shortest:f}", number=float(shortest))


def _day(attribute: CustomAttribute, text: str) -> Stored:
    try:
        day = date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise InvalidAttribute(_("{name} is a date, for example 2026-01-31.").format(name=attribute.name))
    return Stored(text=day.isoformat(), day=day)


def _flag(attribute: CustomAttribute, text: str) -> Stored:
    text = text.lower()
    if text not in FLAGS:
        raise InvalidAttribute(_("{name} is true or false.").format(name=attribute.name))
    return Stored(text=text, number=FLAGS[text])


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InvalidAttribute(
            _("A name begins with a letter and has at most {n} letters (A-Z), digits and _.").format(n=LONGEST_NAME)
        )


def _check_description(description: str) -> None:
    if len(description) > LONGEST_DESCRIPTION or not description.isprintable():
        raise InvalidAttribute(
            _("A description has at most {n} characters and no line breaks.").format(n=LONGEST_DESCRIPTION)
        )


def _record(action: str, attribute: CustomAttribute, actor: str, **details: str) -> None:
    audit.record(action, actor=actor, subject_type="attribute", subject=attribute.key, details=details)
