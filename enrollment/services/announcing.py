"""Devices that are expected: a single one, or many by a file, each with its person (portal specification, section 5.3).

A person is told once at a time, and one record of a person waits: who stands in a file twice is refused.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from devices.models import Device
from enrollment.services import invitation_texts, invitations
from enrollment.services.invitations import Draft
from enrollment.services.registration import Announced
from epmm.country_names import NAMES
from epmm.numbers import grouped
from users.models import User

COLUMNS: Final = ("user_id", "platform", "owner", "country", "phone_number")
MOST: Final = 1_000
PHONE: Final = re.compile(r"\+?[0-9 ()/.-]{3,30}")
NO_PHONE: Final = frozenset({"", "none", "pda"})  # EPMM writes PDA for a device without one
PLATFORMS: Final = {platform.casefold(): platform for platform in Device.Platform.values}


class AnnouncementRefused(Exception):
    """The arguments are sentences for the administrator; nothing was saved."""


@dataclass(frozen=True, slots=True)
class Expected:
    user: User
    announced: Announced


def checked(*, platform: str, owner: str, country: str, phone_number: str, operator: str = "") -> Announced:
    """Raises AnnouncementRefused."""
    known = PLATFORMS.get(platform.strip().casefold(), "")
    owner, country, phone = owner.strip().upper(), country.strip().upper(), phone_number.strip()
    if platform.strip() and not known:
        raise AnnouncementRefused(_("The platform is one of: {names}.").format(names=", ".join(PLATFORMS.values())))
    if owner and owner not in Device.Owner.values:
        raise AnnouncementRefused(_("The owner is one of: {names}.").format(names=", ".join(Device.Owner.values)))
    if country and country not in NAMES:
        raise AnnouncementRefused(_("“{text}” is no country: two letters, such as AT.").format(text=country[:40]))
    if phone.casefold() in NO_PHONE:
        phone = ""
    elif PHONE.fullmatch(phone) is None:
        raise AnnouncementRefused(_("“{text}” is no phone number.").format(text=phone[:40]))
    operator = "" if operator.strip().casefold() in NO_PHONE else operator.strip()
    return Announced(platform=known, owner=owner, phone_number=phone, country=country, operator=operator)


def read(content: bytes) -> list[Expected]:
    """A CSV file.  Raises AnnouncementRefused with a sentence for each line that is wrong."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnouncementRefused(_("The file is not in UTF-8.")) from error
    first = text.partition("\n")[0]
    lines = list(csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ","))
    heading = [cell.strip().lower() for cell in lines[0]] if lines else []
    if "user_id" not in heading or set(heading) - set(COLUMNS):
        raise AnnouncementRefused(_("The first line names the columns: {names}.").format(names=", ".join(COLUMNS)))
    rows = [(number, dict(zip(heading, line, strict=False))) for number, line in enumerate(lines[1:], 2) if any(line)]
    if not 0 < len(rows) <= MOST:
        raise AnnouncementRefused(_("A file has 1 to {n} devices.").format(n=grouped(MOST)))
    return _read(rows)


def _read(rows: Sequence[tuple[int, dict[str, str]]]) -> list[Expected]:
    named = [row.get("user_id", "").strip().lower() for _number, row in rows]
    people = {user.user_id.lower(): user for user in _people(named)}
    found: dict[str, Expected] = {}
    wrong = []
    for (number, row), name in zip(rows, named, strict=True):
        try:
            user = people.get(name)
            if user is None or not user.is_active:
                raise AnnouncementRefused(_("There is no enabled user {user_id}.").format(user_id=name[:150]))  # noqa: TRY301
            if name in found:
                raise AnnouncementRefused(_("{user_id} stands here twice.").format(user_id=name))  # noqa: TRY301
            given = {column: row.get(column, "") for column in COLUMNS[1:]}
            found[name] = Expected(user, checked(**given))
        except AnnouncementRefused as refused:
            wrong.append(_("Line {n}: {problem}").format(n=number, problem=refused.args[0]))
    if wrong:
        raise AnnouncementRefused(*wrong)
    return list(found.values())


def _people(names: Sequence[str]) -> Iterator[User]:
    for start in range(0, len(names), 200):  # SQLite takes only so many values
        some = names[start : start + 200]
        yield from User.objects.alias(lower_id=Lower("user_id")).filter(lower_id__in=some)


@transaction.atomic
def announce(expected: Sequence[Expected], *, notify: bool, language: str, actor: str) -> None:
    """With a mail to each, where that was chosen.  Raises MailRefused; then nothing is saved."""
    if not notify:
        for each in expected:
            invitations.announce(each.user, each.announced, actor=actor)
        return
    draft = Draft(language=language, written=invitation_texts.without_pin(language))
    invitations.send_announced([(each.user, each.announced) for each in expected], draft, actor=actor)
