"""The people an action is for: ticked in a list, or all that match it; from dialog to answer they stay the same.

Of more than are done at once the dialog looks at the first, and the worker does it: see `users/views/people_runs.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from epmm.numbers import grouped
from epmm.portal.lists import LONGEST_SEARCH, MOST_TICKED, Listing, ticked
from users.errors import InvalidPerson
from users.models import User

NAMES_SHOWN: Final = 3
LONGEST_KEY: Final = 18  # digits
M = TypeVar("M", bound=Model)
LONGEST_ADDRESS: Final = 4000
GO: Final = "go"  # in the form of a dialog, not in the list's: do it
NUMBER: Final = "number"  # of all, in the dialog for more than are done at once
Narrow = Callable[[QuerySet[User], Mapping[str, str]], QuerySet[User]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    people: list[User]  # all of them, or the first
    everyone: QuerySet[User] = field(default_factory=User.objects.none)
    number: int
    is_many: bool = False  # more than are done at once
    is_sent: bool  # by the dialog, and to as many as it spoke of: else it is asked anew
    asked: str = ""  # the address of the list, where all that match it are meant

    @classmethod
    def one(cls, user: User, *, is_sent: bool) -> "Chosen":
        return cls(people=[user], number=1, is_sent=is_sent)

    def context(self) -> dict[str, Any]:
        """For `portal/people/whom.html`; what `chosen` has goes round with the dialog's form."""
        return {
            "people": self.people,
            "number": self.number,
            "is_many": self.is_many,
            "looked_at": len(self.people),
            "one": self.people[0] if self.number == 1 else None,
            "first_names": [user.display_name for user in self.people[:NAMES_SHOWN]],
            "more": max(0, self.number - NAMES_SHOWN),
            "chosen": self._said(),
        }

    def _said(self) -> dict[str, str]:
        if self.asked:
            return {"all": "1", "matching": self.asked, NUMBER: str(self.number)}
        keys = ",".join(str(pk) for pk in self.everyone.values_list("pk", flat=True)) if self.is_many else ""
        said = {"chosen": keys or ",".join(str(user.pk) for user in self.people)}
        return said | ({NUMBER: str(self.number)} if self.is_many else {})


def of(
    request: HttpRequest,
    listing: Listing[User],
    everybody: QuerySet[User],
    *,
    narrow: Narrow = lambda people, _asked: people,
    most: int | None = None,
    may_be_many: bool = False,
) -> Chosen:
    """Raises InvalidPerson when there is nobody, or more than can be done.  `narrow` knows a list's address."""
    most = MOST_TICKED if most is None else most
    found = asked_for(request, everybody, find=listing.find, narrow=narrow, most=MOST_TICKED + 1)
    people = list(found.order_by("user_id")[: most + 1])
    if not people:
        raise InvalidPerson(_("Nobody is selected. Tick the people first."))
    is_many = len(people) > most
    if is_many and not may_be_many:
        raise InvalidPerson(
            _("This is done for at most {n} people at once. Narrow the selection.").format(n=grouped(most))
        )
    return Chosen(
        people=people[:most],
        everyone=found,
        number=found.order_by().count() if is_many else len(people),
        is_many=is_many,
        is_sent=GO in request.POST and is_many == (NUMBER in request.POST),
        asked=_address(request) if is_many and "chosen" not in request.POST and request.POST.get("all") == "1" else "",
    )


def asked_for(
    request: HttpRequest,
    everybody: QuerySet[M],
    *,
    find: Callable[[QuerySet[M], str], QuerySet[M]] | None,
    narrow: Callable[[QuerySet[M], Mapping[str, str]], QuerySet[M]],
    most: int = MOST_TICKED,
) -> QuerySet[M]:
    """The rows that a dialog was opened with, or that are ticked, or all that the list shows."""
    if "chosen" in request.POST:
        return everybody.filter(pk__in=keys(request.POST["chosen"].split(",")[:most]))
    if request.POST.get("all") != "1":
        return everybody.filter(pk__in=keys(ticked(request)))
    asked = dict(parse_qsl(_address(request)))
    text = asked.get("q", "")[:LONGEST_SEARCH].replace("\0", "").strip()
    listed = narrow(everybody, asked)
    return find(listed, text) if find and text else listed


def _address(request: HttpRequest) -> str:
    return request.POST.get("matching", "")[:LONGEST_ADDRESS] or "all=1"


def keys(given: Sequence[str]) -> list[int]:
    return [int(key) for key in given if key.isascii() and key.isdecimal() and len(key) <= LONGEST_KEY]
