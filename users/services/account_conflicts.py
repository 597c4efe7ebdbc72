"""People whose Managed Apple Account is not in step with what their origin maps for them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from epmm.models import Job
from users.errors import InvalidAccount
from users.models import Directory, DirectoryEntry, IdentityProvider, User
from users.services import account_mapping
from users.services.account_mapping import TOLD, Outcome, Rule, Wanted
from users.services.accounts import State

CHUNK: Final = 500
KIND: Final = "users.settle_accounts"
SOLVABLE: Final = sorted(TOLD)  # what may have gone since, without anything new from the origin
ORIGINS: Final = ("directory", "provider")
LOOKED_AT: Final = (
    *ORIGINS, "attributes", "account", "account_state", "user__user_id", "user__first_name", "user__last_name",
    "user__full_name", "user__email", "user__upn", "user__managed_apple_account",
)  # fmt: skip
HEAVY: Final = ("directory__bind_password", "directory__certificates", "provider__client_secret")


def ask() -> None:
    """For the worker, unless it is asked already."""
    Job.enqueue(KIND, dedupe_key=KIND)


def everything() -> QuerySet[DirectoryEntry]:
    there = DirectoryEntry.objects.filter(account_state__gt=State.FINE, gone_at=None)
    return there.select_related("user", *ORIGINS).defer(*HEAVY)


def settle(**origin: Any) -> int:
    """Look again at what may have been solved meanwhile; how much was.  What is as it was is not written."""
    solved = 0
    for state in SOLVABLE:
        last = 0
        found = everything().filter(account_state=state, **origin).order_by("pk")
        while some := list(found.filter(pk__gt=last)[:CHUNK]):
            last = some[-1].pk
            solved += _settled(some)
    return solved


def adopt(entries: Iterable[DirectoryEntry], *, actor: str) -> Iterator[tuple[DirectoryEntry, str]]:
    """Take what is mapped in the place of what was entered here; of each what stands in the way.

    Whoever has enrolled devices keeps their account also then.
    """
    for entry in entries:
        wanted = _wanted(entry)
        wanted.said_before = entry.user.managed_apple_account or ""
        (outcome,) = account_mapping.plan([wanted])
        yield entry, outcome.problem if outcome.state in account_mapping.FAILING else _put(wanted, actor)


def of_origin(origin: Directory | IdentityProvider) -> QuerySet[DirectoryEntry]:
    """All of its people, for a preview, and of them what it looks at: there may be a hundred thousand."""
    return origin.entries.filter(gone_at=None).select_related("user").only(*LOOKED_AT).order_by("pk")


def foretold(
    origin: Directory | IdentityProvider,
    rule: Rule,
    entries: Sequence[DirectoryEntry],
    given: dict[str, tuple[int, str]] | None = None,
) -> list[Outcome]:
    """What the rule would make of some people of a directory or provider.  Nothing is changed.

    `given` goes round where all of them are looked at, some at a time.
    """
    before = Rule.of(origin)
    return list(
        account_mapping.plan(
            given={} if given is None else given,
            wanted=[
                Wanted(
                    user=entry.user,
                    entry=entry,
                    mapped=account_mapping.read(rule, entry.attributes, entry.user),
                    said_before=account_mapping.said_before(entry, before.name),
                )
                for entry in entries
            ],
        )
    )


def _settled(entries: Sequence[DirectoryEntry]) -> int:
    """How many are in step now.  Should somebody take an account at this moment, the next look is the next chance."""
    wanted = [_wanted(entry) for entry in entries]
    held = {entry.pk: (entry.account, entry.account_state, entry.user.managed_apple_account) for entry in entries}
    try:
        with transaction.atomic():
            for origin in {_origin(entry) for entry in entries}:
                of_it = [each for each in wanted if _origin(each.entry) == origin]
                account_mapping.follow(of_it, actor=str(origin))
            return _saved(entries, held)
    except IntegrityError:
        return 0


def _saved(entries: Sequence[DirectoryEntry], held: dict[int, tuple[str, int, str | None]]) -> int:
    moved = [entry for entry in entries if held[entry.pk][2] != entry.user.managed_apple_account]
    changed = [entry for entry in entries if held[entry.pk][:2] != (entry.account, entry.account_state)]
    User.objects.bulk_update([entry.user for entry in moved], ["managed_apple_account"])
    DirectoryEntry.objects.bulk_update(changed, ["account", "account_state"])
    return sum(1 for entry in changed if entry.account_state not in SOLVABLE)


def _put(wanted: Wanted, actor: str) -> str:
    user, entry = wanted.user, wanted.entry
    try:
        with transaction.atomic():
            account_mapping.follow([wanted], actor=actor)
            user.save(update_fields=["managed_apple_account"])
            entry.save(update_fields=["account", "account_state"])
    except IntegrityError:
        return str(InvalidAccount())
    return ""


def _origin(entry: DirectoryEntry) -> str:
    return f"directory {entry.directory.name}" if entry.directory else "identity provider"


def _wanted(entry: DirectoryEntry) -> Wanted:
    origin = entry.directory or entry.provider
    assert origin is not None  # noqa: S101 - the database holds it to one of them
    mapped = account_mapping.read(Rule.of(origin), entry.attributes, entry.user)
    return Wanted(user=entry.user, entry=entry, mapped=mapped, said_before=entry.account)
