"""Finding devices by an expression, and counting them up to a cap.  Pages of them: `record_pages.py`."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from devices.models import Device
from devices.search import compile as compiler
from devices.search import patience
from devices.search.custom import fields, fields_for
from devices.search.errors import SearchError
from devices.search.fields import Registry
from devices.search.language import NEVER_IN_TEXT, parse
from devices.search.patience import SearchTooSlow, limited
from devices.search.tree import EVERYTHING, All, AnyOf, Node, Operator, Test, Word, write
from devices.services import hidden_fields
from epmm.numbers import grouped
from users.models import User

CAP: Final = 10_000
# By the key of a field: its column, which has an index with the primary key behind it.
SORTS: Final = {
    "common.id": "pk",
    "common.last_connected_at": "last_seen_at",
    "common.miclient_last_connected_at": "last_seen_at",
    "common.registration_date": "registered_at",
    "user.display_name": "user_name_folded",
    "ios.DeviceName": "name_folded",
    "common.SerialNumber": "serial_number",
    "common.uuid": "uuid",
    "common.modified_at": "modified_at",
}
WITHOUT_RETIRED: Final = Test(field="common.retired", operator=Operator.EQUALS, value="false")
# SQLite takes a partial index for the very words of its condition, not for a parameter that says the same.
STANDING: Final = RawSQL("""NOT ("devices_device"."status" = 'RETIRED')""", (), output_field=BooleanField())


class SearchRefused(Exception):
    """The argument is a sentence for whoever searches.  `at`: the character it speaks of, counted from 1."""

    def __init__(self, sentence: str, at: int | None = None) -> None:
        super().__init__(sentence)
        self.at = at


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    is_capped: bool  # there are more

    def __str__(self) -> str:
        return f"{grouped(self.number)}+" if self.is_capped else grouped(self.number)


def registry(named: Iterable[str] = ()) -> Registry:
    """The fields of this installation; where some are named, its own as far as they are among these."""
    text = " ".join(named)
    return fields_for(text) if text else fields()


def understand(expression: str) -> Node:
    """The tree of an expression that can be searched for.  Raises SearchRefused."""
    try:
        known = fields_for(expression)
        node = parse(expression, known)
        hidden_fields.refuse(node)
        compiler.check(node, known)
    except SearchError as error:
        raise _refused(error) from error
    return node


def matching(expression: str, *, exclude_retired: bool = True) -> QuerySet[Device]:
    """All of them, in no order."""
    devices = Device.objects.filter(condition(expression))
    return devices.filter(STANDING) if exclude_retired else devices


def condition(expression: str, known: Registry | None = None) -> Q:
    """`known`: the fields of the installation, where they are read already."""
    try:
        known = known or fields_for(expression)
        node = parse(expression, known)
        hidden_fields.refuse(node)
        return compiler.compiled(node, known, compiler.here_and_now())
    except SearchError as error:
        raise _refused(error) from error


def lone_word(text: str) -> Q:
    """What somebody typed, looked for as it is, whatever signs are in it."""
    word = NEVER_IN_TEXT.sub(" ", text).strip()
    return compiler.compiled(Word(word) if word else EVERYTHING, Registry(()), compiler.here_and_now())


def without_retired(expression: str) -> str:
    """The expression that says so by itself; it may be said already."""
    node = understand(expression)
    said = node.parts if isinstance(node, All) else (node,)
    if any(isinstance(part, Test) and _is_without_retired(part) for part in said):
        return expression
    if not said:
        return write(WITHOUT_RETIRED)
    text = f"({expression.strip()})" if isinstance(node, AnyOf) else expression.strip()
    return f"{text} AND {write(WITHOUT_RETIRED)}"


def _is_without_retired(test: Test) -> bool:
    return (test.field, test.operator, test.value.strip().lower()) == ("common.retired", Operator.EQUALS, "false")


def count(expression: str, *, exclude_retired: bool = True, cap: int = CAP, seconds: float = patience.SECONDS) -> Count:
    """As `counted`, of an expression."""
    return counted(matching(expression, exclude_retired=exclude_retired), cap=cap, seconds=seconds)


def counted(found: QuerySet[Device], *, cap: int = CAP, seconds: float = patience.SECONDS) -> Count:
    """Exact up to the cap: beyond it nobody counts, and counting on would cost as much as all pages."""
    with patiently(seconds):
        number = found[: cap + 1].count()
    return Count(min(number, cap), is_capped=number > cap)


def with_users(devices: Sequence[Device], people: QuerySet[User] | None = None) -> None:
    """Not joined: PostgreSQL would look up the user of each device that it has yet to sort.

    `prefetch_related` asks for tuples of one value, which cost as much again as the devices do.
    """
    everybody = User.objects.all() if people is None else people
    users = everybody.in_bulk({device.user_id for device in devices})
    for device in devices:
        device.user = users[device.user_id]


@contextmanager
def patiently(seconds: float = patience.SECONDS) -> Iterator[None]:
    """Around whatever reads what was searched for.  Raises SearchRefused."""
    try:
        with limited(seconds):
            yield
    except SearchTooSlow as error:
        raise SearchRefused(_("The search takes too long. Add a condition that fewer devices meet.")) from error


def _refused(error: SearchError) -> SearchRefused:
    return SearchRefused(_(error.message).format(n=error.at, **error.values), error.at)
