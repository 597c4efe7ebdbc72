"""Rules as an administrator keeps them: written, put in order, deleted; and how many people one touches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Device, Enrollment, os_version_number
from enrollment.models import Rule
from enrollment.models.rule import RuleQuerySet
from enrollment.services import local_texts, rules
from epmm import audit, markup
from epmm.markup import MarkupRefused
from epmm.numbers import grouped
from epmm.option_texts import FAMILIES
from epmm.portal.lists import COUNT_CAP
from users.models import Group, Membership, User

MOST_RULES: Final = 200
MOST_DEVICES: Final = 50
SUBJECTS: Final = ("kinds", "device_limit", "families", "minimum_os", "owner", "terms", "terms_name")


class RuleRefused(Exception):
    """The argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What is empty is left to the rules below and to the settings."""

    group: Group | None  # None: local people
    kinds: Sequence[str] = ()
    device_limit: int | None = None
    families: Sequence[str] = ()
    minimum_os: Mapping[str, str] = field(default_factory=dict)  # by family
    owner: str = ""
    terms: str = ""
    terms_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many people; each number is one more than the cap where there are more."""

    people: int
    overruled: int  # of whom a rule further up speaks, too
    beyond: int  # who have more devices already, and keep them


def save(written: Written, *, actor: str, row: Rule | None = None) -> Rule:
    """Raises RuleRefused; then nothing is changed."""
    rule = row or Rule()
    before = _told(rule) if row else {}
    rule.group = written.group
    rule.audience = Rule.Audience.LOCAL if written.group is None else Rule.Audience.GROUP
    rule.kinds = _listed(written.kinds, tuple(map(str, Enrollment.Kind)))
    rule.families = _listed(written.families, FAMILIES)
    rule.device_limit, rule.minimum_os = _limit(written.device_limit), _minima(written.minimum_os)
    rule.owner, rule.terms = _owner(written.owner), _terms(written.terms)
    rule.terms_name = written.terms_name
    rule.changed_at, rule.changed_by = timezone.now(), actor[:255]
    if not any(_told(rule).values()) and rule.device_limit is None:
        raise RuleRefused(_("The rule says nothing. Fill in what is to be different for these people."))
    try:
        with transaction.atomic():
            if rule.terms_name and not local_texts.hold(rule.terms_name):
                raise RuleRefused(_("There are no terms of this name."))
            if row is None:
                rule.position = _next_position()
            rule.save()
            after = _told(rule)
            changed = {name: {"from": before.get(name), "to": after[name]} for name in after}
            changed = {name: each for name, each in changed.items() if each["from"] != each["to"]}
            _record("rule.saved", rule, actor, changed)
    except IntegrityError as error:
        raise RuleRefused(_("There is a rule for {audience} already.").format(audience=rule)) from error
    return rule


@transaction.atomic
def delete(rule: Rule, *, actor: str) -> None:
    _record("rule.deleted", rule, actor, _told(rule))
    rule.delete()


@transaction.atomic
def move(rule: Rule, *, is_up: bool, actor: str) -> bool:
    """One place up or down; False where it is the first or last."""
    order = list(Rule.objects.select_for_update().in_order().values_list("pk", flat=True))
    if rule.pk not in order:
        return False
    place = order.index(rule.pk)
    other = place - 1 if is_up else place + 1
    if not 0 <= other < len(order):
        return False
    order[place], order[other] = order[other], order[place]
    for position, pk in enumerate(order, start=1):
        Rule.objects.filter(pk=pk).exclude(position=position).update(position=position)
    _record("rule.moved", rule, actor, {"from": place + 1, "to": other + 1})
    return True


def reach(group: Group | None, *, above: Sequence[int | None], limit: int | None) -> Reach:
    """`above`: the groups whose rules stand further up."""
    people = touched(group)
    memberships = Membership.objects.filter(user=OuterRef("pk"), group__in=above)
    having = Device.objects.enrolled().filter(user__in=people.values("pk")).values("user").annotate(n=Count("pk"))
    return Reach(
        people=_capped(people),
        overruled=_capped(people.filter(Exists(memberships))) if above else 0,
        beyond=0 if limit is None else _capped(having.filter(n__gt=limit)),
    )


def touched(group: Group | None) -> QuerySet[User]:
    if group is None:
        return User.objects.enabled().filter(source=User.Source.LOCAL)
    return User.objects.enabled().filter(pk__in=Membership.objects.filter(group=group).values("user"))


def groups_above(rule: Rule | None) -> list[int | None]:
    """A new rule stands last."""
    found = Rule.objects.filter(audience=Rule.Audience.GROUP)
    if rule is not None and rule.pk is not None:
        found = found.filter(position__lt=rule.position)
    return list(found.values_list("group_id", flat=True))


def without_rule() -> QuerySet[Group]:
    """Groups that may get one."""
    is_used = Q(directory__is_enabled=True) | Q(provider__is_enabled=True)
    there = Group.objects.filter(is_used, enrollment_rule=None).select_related("directory", "provider")
    return there.defer("directory__bind_password", "directory__certificates", "provider__client_secret").order_by(
        "name", "pk"
    )


def _capped(found: QuerySet[Any, Any]) -> int:
    return found.order_by()[: COUNT_CAP + 1].count()


def _next_position() -> int:
    known = Rule.objects.aggregate(last=Max("position"), n=Count("pk"))
    if known["n"] >= MOST_RULES:
        raise RuleRefused(_("There are {n} rules already, and no more are possible.").format(n=MOST_RULES))
    return int(known["last"] or 0) + 1


def _listed(chosen: Sequence[str], known: tuple[str, ...]) -> str:
    """All of them is not the same as none of them said: a rule further down may allow fewer."""
    if not set(chosen) <= set(known):
        raise RuleRefused(_("Choose from {known}.").format(known=", ".join(known)))
    return ",".join(each for each in known if each in chosen)


def _limit(number: int | None) -> int | None:
    if number is not None and number not in range(MOST_DEVICES + 1):
        raise RuleRefused(_("A device limit is a number from 0 to {n}.").format(n=MOST_DEVICES))
    return number


def _minima(wanted: Mapping[str, str]) -> str:
    minima = {family: text.strip() for family, text in wanted.items() if text.strip()}
    if any(family not in FAMILIES or os_version_number(text) is None for family, text in minima.items()):
        raise RuleRefused(_("Enter versions such as 17 or 18.1."))
    return ",".join(f"{family}={minima[family]}" for family in FAMILIES if family in minima)


def _owner(owner: str) -> str:
    if owner and owner not in Device.Owner.values:
        raise RuleRefused(_("Choose from {known}.").format(known=", ".join(Device.Owner.values)))
    return owner


def _terms(text: str) -> str:
    try:
        cleaned = markup.clean(text)
    except MarkupRefused as error:
        raise RuleRefused(str(error)) from error
    if len(cleaned) > local_texts.LONGEST:
        raise RuleRefused(_("A text has 1 to {n} characters.").format(n=grouped(local_texts.LONGEST)))
    return cleaned


def _told(rule: Rule) -> dict[str, Any]:
    """For the audit log; of the terms their length."""
    return {name: len(rule.terms) if name == "terms" else getattr(rule, name) for name in SUBJECTS}


def _record(action: str, rule: Rule, actor: str, details: dict[str, Any]) -> None:
    audit.record(action, actor=actor, subject_type="rule", subject=str(rule)[:255], details=details)


def in_order() -> RuleQuerySet:
    return rules.named(Rule.objects.all()).in_order()
