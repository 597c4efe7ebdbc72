"""The people an action is for: ticked in a list, or all that match it; from dialog to answer they stay the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from epmm.portal.lists import LONGEST_SEARCH, MOST_TICKED, Listing, ticked
from users.errors import InvalidPerson
from users.models import User

NAMES_SHOWN: Final = 3
LONGEST_KEY: Final = 18  # digits
M = TypeVar("M", bound=Model)
Narrow = Callable[[QuerySet[User], Mapping[str, str]], QuerySet[User]]


@dataclass(frozen=True, slots=True)
class Chosen:
    people: list[User]

    def context(self) -> dict[str, Any]:
        """For `portal/people/whom.html`; `chosen` goes round with the dialog's form."""
        return {
            "people": self.people,
            "one": self.people[0] if len(self.people) == 1 else None,
            "first_names": [user.display_name for user in self.people[:NAMES_SHOWN]],
            "more": max(0, len(self.people) - NAMES_SHOWN),
            "chosen": ",".join(str(user.pk) for user in self.people),
        }


def of(
    request: HttpRequest,
    listing: Listing[User],
    everybody: QuerySet[User],
    *,
    narrow: Narrow = lambda people, _asked: people,
    most: int = MOST_TICKED,
) -> Chosen:
    """Raises InvalidPerson when there is nobody, or more than are done at once.  `narrow` knows a list's address."""
    asked = asked_for(request, everybody, find=listing.find, narrow=narrow, most=MOST_TICKED + 1)
    people = list(asked.order_by("user_id")[: most + 1])
    if not people:
        raise InvalidPerson(_("Nobody is selected. Tick the people first."))
    if len(people) > most:
        raise InvalidPerson(_("This is done for at most {n} people at once. Narrow the selection.").format(n=most))
    return Chosen(people)


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
    asked = dict(parse_qsl(request.POST.get("matching", "")[:4000]))
    text = asked.get("q", "")[:LONGEST_SEARCH].replace("\0", "").strip()
    listed = narrow(everybody, asked)
    return find(listed, text) if find and text else listed


def keys(given: list[str]) -> list[int]:
    return [int(key) for key in given if key.isascii() and key.isdecimal() and len(key) <= LONGEST_KEY]
