"""Managed Apple Accounts as directories and identity providers bring them: what is mapped, and what comes of it.

An enrolled device is signed in with an account, so whoever has such a device keeps theirs.  What an administrator has
entered stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from users.errors import ForeignAccount, InvalidAccount
from users.models import AccountSource, Directory, DirectoryEntry, IdentityProvider, User
from users.services import account_patterns, accounts
from users.services.accounts import State

CLAIM: Final = "account"  # under which name the attributes of an entry hold what a provider says
TOLD: Final = frozenset({State.TAKEN, State.INVALID, State.FOREIGN, State.ENROLLED})  # an administrator has to act
Holder = tuple[int, str]  # the key and the name of who has an account
NAMED: Final = ("managed_apple_account", "user_id", "first_name", "last_name", "full_name")
FAILING: Final = TOLD | {State.MISSING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """As a directory or a provider is set up, or is to be."""

    source: str
    name: str = ""  # of the attribute
    pattern: str = ""

    @classmethod
    def of(cls, origin: Directory | IdentityProvider) -> "Rule":
        claim = CLAIM if isinstance(origin, IdentityProvider) and origin.account_claim else ""
        name = origin.account_attribute if isinstance(origin, Directory) else claim
        return cls(source=origin.account_source, name=name, pattern=origin.account_pattern)


@dataclass(frozen=True, slots=True)
class Mapped:
    text: str = ""  # also one that is no possible account; empty: nothing
    state: State = State.FINE
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Wanted:
    """Somebody, what the origin knew of them until now, and what it maps for them."""

    user: User
    entry: DirectoryEntry
    mapped: Mapped
    said_before: str = ""  # so an account that equals it came from there


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    wanted: Wanted
    state: State
    account: str | None  # that the person would have
    problem: str = ""  # or a warning

    @property
    def changes(self) -> bool:
        return self.account != self.wanted.user.managed_apple_account


def read(rule: Rule, attributes: Mapping[str, Sequence[str]], person: User) -> Mapped:
    """What the rule makes of what is known of somebody."""
    match rule.source:
        case AccountSource.SAID if rule.name:
            text = said(attributes, rule.name)
        case AccountSource.PATTERN:
            try:
                text = account_patterns.filled(rule.pattern, person)
            except InvalidAccount as error:
                return Mapped(state=State.MISSING, problem=str(error))
        case _:
            return Mapped()
    if not text.strip():
        return Mapped(state=State.MISSING, problem=_("There is nothing that an account could be made of."))
    try:
        return Mapped(accounts.normalized(text))
    except InvalidAccount as error:
        state = State.FOREIGN if isinstance(error, ForeignAccount) else State.INVALID
        return Mapped(_shown(text), state, str(error))


def said(attributes: Mapping[str, Sequence[str]], name: str) -> str:
    texts = next((texts for each, texts in attributes.items() if each.lower() == name.lower()), ())
    return texts[0] if texts else ""


def said_before(entry: DirectoryEntry, name: str) -> str:
    """What was mapped for the person until now; of an entry older than such notes, what its attribute says."""
    return entry.account or said(entry.attributes, name).strip().lower()


def _shown(text: str) -> str:
    """As it can be stored and looked at, be it what it may."""
    return "".join(each if each.isprintable() else "?" for each in text.strip().lower())[: accounts.LONGEST]


def plan(wanted: Sequence[Wanted], given: dict[str, Holder] | None = None) -> Iterator[Outcome]:
    """Two queries, however many people; nothing is changed.

    Of two who want the same the first has it; `given` says who got what in an earlier part of the same plan.
    """
    given = {} if given is None else given
    values = [
        each.mapped.text
        for each in wanted
        if each.mapped.state == State.FINE and each.mapped.text not in ("", each.user.managed_apple_account)
    ]
    theirs = User.objects.filter(managed_apple_account__in=values).only(*NAMED) if values else ()
    holders: dict[str | None, Holder] = {user.managed_apple_account: (user.pk, user.display_name) for user in theirs}
    enrolled = accounts.enrolled(
        each.user for each in wanted if each.user.managed_apple_account not in (None, each.mapped.text)
    )
    for each in wanted:
        text, user = each.mapped.text, each.user
        holder = given.get(text) or holders.get(text)
        is_others = holder is not None and (text in given or holder[0] != user.pk)
        outcome = _outcome(each, holder if is_others else None, is_enrolled=user.pk in enrolled)
        if outcome.account == text:
            given[text] = (user.pk or 0, user.display_name)
        yield outcome


def _outcome(wanted: Wanted, holder: Holder | None, *, is_enrolled: bool) -> Outcome:
    user, mapped, before = wanted.user, wanted.mapped, wanted.user.managed_apple_account
    kept: dict[str, Any] = {"wanted": wanted, "account": before}
    if mapped.state in accounts.BAD or (mapped.state == State.MISSING and before is None):
        return Outcome(state=mapped.state, problem=mapped.problem, **kept)
    if mapped.text and mapped.text != before:
        if holder is not None:
            return Outcome(state=State.TAKEN, problem=accounts.taken_by(holder[1]), **kept)
        lags = wanted.entry.account_state == State.ENROLLED
        if before is not None and before != wanted.said_before and not lags:
            return Outcome(state=State.KEPT, problem=_("{account} was entered here.").format(account=before), **kept)
        if is_enrolled:
            problem = _("Devices are enrolled with {account}.").format(account=before)
            return Outcome(state=State.ENROLLED, problem=problem, **kept)
    account = mapped.text or before
    if accounts.fits(user, account):
        return Outcome(wanted=wanted, state=State.FINE, account=account)
    problem = _("The directory knows this person as {upn}.").format(upn=user.upn)
    return Outcome(wanted=wanted, state=State.DIFFERS, account=account, problem=problem)


def follow(wanted: Sequence[Wanted], *, actor: str) -> list[str]:
    """Put it in place; whoever calls saves users and entries.  What an administrator has to do, in sentences."""
    problems = []
    for outcome in plan(wanted):
        user, entry = outcome.wanted.user, outcome.wanted.entry
        before = user.managed_apple_account
        if outcome.changes:
            user.managed_apple_account = outcome.account
            if before is not None:
                accounts.record_change(user, before, outcome.account, actor)
        entry.account, entry.account_state = outcome.wanted.mapped.text, outcome.state
        if outcome.state in TOLD:
            problems.append(f"{user.user_id}: {outcome.problem}")
    return problems
