"""What happens and may be told to webhooks: each app declares its kinds, and says where one has happened.

Nothing is written unless a webhook wants it, and whether one does stands among the settings, which each process reads
once a second anyway.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.functional import Promise

from epmm import settings_store
from epmm.models import Event, SettingRow, Webhook
from epmm.settings_store import Setting
from epmm.spaces import GLOBAL_SPACE

AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str  # as the receiver reads it
    label: str | Promise
    # which of `masking.FIELDS` a key of its data is, wherever in there it stands
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One event of a kind; `subject` is what keeps its order with others."""

    subject: str
    data: Mapping[str, Any]
    space_id: int = GLOBAL_SPACE
    at: datetime = field(default_factory=timezone.now)


KINDS: Final[dict[str, Kind]] = {}


def declare(name: str, label: str | Promise, *, personal: Mapping[str, str] | None = None) -> Kind:
    return KINDS.setdefault(name, Kind(name=name, label=label, personal=personal or {}))


# No setting of an administrator: it follows from the webhooks, and no page shows it.
_WANTED: Final[Setting[frozenset[str]]] = Setting(
    name="webhooks.wanted",
    default=frozenset(),
    parse=lambda text: frozenset(text.split(",")),
    accepts="",
    help="",
)


def is_wanted(kind: Kind) -> bool:
    return kind.name in settings_store.read(_WANTED)


def remember_wanted() -> None:
    """Once webhooks have changed, in the same transaction."""
    kinds = {
        kind for kinds in Webhook.objects.filter(is_enabled=True).values_list("kinds", flat=True) for kind in kinds
    }
    SettingRow.objects.update_or_create(name=_WANTED.name, defaults={"value": ",".join(sorted(kinds))})
    settings_store.clear_cache()


def emit(kind: Kind, facts: Callable[[], Iterable[Fact]]) -> None:
    """In the transaction of what happened.  `facts` is not called where nobody wants to know."""
    if not is_wanted(kind):
        return
    Event.objects.bulk_create(
        (
            Event(kind=kind.name, at=fact.at, subject=fact.subject, space_id=fact.space_id, data=dict(fact.data))
            for fact in facts()
        ),
        batch_size=AT_ONCE,
    )
