"""What the rules of a person's groups say about an enrollment, and the settings where these say nothing.

Of each subject the first rule counts that says something about it, in their order of precedence.  Only with the device
limit a setting may decide otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db.models import Exists, Q
from django.utils.translation import gettext as _

from devices.models import Device, Enrollment
from enrollment.models import Rule
from enrollment.models.rule import RuleQuerySet
from epmm import options, settings_store
from users.models import Membership, User

T = TypeVar("T")
PLATFORM_OF: Final = {
    "iPhone": Device.Platform.IOS,
    "iPad": Device.Platform.IOS,
    "Mac": Device.Platform.MACOS,
    "RealityDevice": Device.Platform.VISIONOS,
}
HEAVY: Final = ("group__directory__bind_password", "group__directory__certificates", "group__provider__client_secret")


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """What counts of one subject, who says it, and who says something about it that does not count."""

    value: T
    rule: Rule | None = None  # None: the settings
    others: tuple[Rule, ...] = ()

    @property
    def origin(self) -> str:
        return str(self.rule) if self.rule is not None else _("Settings")


class Sayings:
    """The rules that are for somebody, in their order."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)

    def kinds(self) -> Said[tuple[str, ...]]:
        return self._first(lambda rule: rule.listed("kinds"), tuple(map(str, Enrollment.Kind)))

    def families(self) -> Said[tuple[str, ...]]:
        return self._first(lambda rule: rule.listed("families"), settings_store.read(options.ALLOWED_FAMILIES))

    def minimum(self, family: str) -> Said[str]:
        """The oldest system that will do; empty: any."""
        return self._first(lambda rule: of_family(rule.listed("minimum_os"), family), general_minimum(family))

    def owner(self) -> Said[str]:
        return self._first(lambda rule: rule.owner, settings_store.read(options.DEFAULT_OWNER))

    def terms(self) -> Said[str]:
        """The name or the text of a rule, or what the settings say."""
        return self._first(lambda rule: rule.terms_name or rule.terms, settings_store.read(options.TERMS))

    def limit(self) -> Said[int | None]:
        """Of several either the highest or the first; a limit in the settings may go before all of them."""
        speaking = [rule for rule in self.rules if rule.device_limit is not None]
        general = settings_store.read(options.DEVICE_LIMIT)
        goes_first = settings_store.read(options.LIMIT_PRECEDENCE) == "person" and general is not None
        if not speaking or goes_first:
            return Said(general, None, tuple(speaking))
        chosen = speaking[0]
        if settings_store.read(options.SEVERAL_LIMITS) == "highest":
            chosen = max(speaking, key=lambda rule: rule.device_limit or 0)
        return Said(chosen.device_limit, chosen, tuple(rule for rule in speaking if rule is not chosen))

    def _first(self, read: Callable[[Rule], T], general: T) -> Said[T]:
        speaking = [rule for rule in self.rules if read(rule)]
        if not speaking:
            return Said(general)
        return Said(read(speaking[0]), speaking[0], tuple(speaking[1:]))


def of(user: int) -> Sayings:
    """By the key of a person.  One query, however many groups; nobody has a key of 0, and it costs the same."""
    is_local = Exists(User.objects.filter(pk=user, source=User.Source.LOCAL))
    groups = Membership.objects.filter(user=user).values("group")
    theirs = Rule.objects.filter(Q(group__in=groups) | Q(Q(audience=Rule.Audience.LOCAL), is_local))
    return Sayings(list(named(theirs).in_order()))


def named(rules: RuleQuerySet) -> RuleQuerySet:
    """With whom they are for; of directories only what that takes, for their secrets would be decrypted."""
    return rules.select_related("group__directory", "group__provider").defer(*HEAVY)


def of_family(minima: Sequence[str], family: str) -> str:
    """From `iPhone=17.0`, or `iOS=17.0` for all that run it."""
    known = dict(item.partition("=")[::2] for item in minima)
    return known.get(family) or known.get(PLATFORM_OF.get(family, ""), "")


def general_minimum(family: str) -> str:
    minima = settings_store.read(options.MINIMUM_OS)
    return of_family(minima, family)


def all_minima(family: str) -> list[str]:
    """What anybody's device of this family may have to have; empty texts: no matter what."""
    rules = Rule.objects.exclude(minimum_os="").only("minimum_os")
    minima = [of_family(rule.listed("minimum_os"), family) for rule in rules]
    return [general_minimum(family), *filter(None, minima)]
