"""People of a directory who sign in at a provider that speaks for it, by the administrator's rule (decision 48).

They stay people of the directory.  A link is made once, by the rule, and is found by the provider's `sub` from then on;
it holds as long as the provider speaks for this very directory.  Nobody local and no administrator is ever linked so.
"""

import logging
from typing import Final

from django.db.models.functions import Lower

from epmm import audit
from users.errors import AccountDisabled, DirectoryError, DirectoryUnavailable, NotKnownHere
from users.models import DirectoryEntry, IdentityProvider, ProviderLink, User
from users.protocol.claims import Claimed
from users.services.directory import sign_in as directory_sign_in

ACTOR: Final = "identity provider"
BY_EMAIL: Final = IdentityProvider.Match.EMAIL
logger = logging.getLogger(__name__)


def read(provider: IdentityProvider, claimed: Claimed) -> None:
    """Whom no sync has brought yet the directory is asked for; not while anything is locked here."""
    directory, name = provider.directory, _name(provider, claimed)
    if directory is None or not directory.is_enabled or not name:
        return
    if _is_of_provider(provider, claimed) or _link(provider, claimed) or _matching(provider, claimed):
        return
    try:
        directory_sign_in.read(directory, name)
    except DirectoryError as error:
        logger.warning("a directory could not be asked", extra={"directory": directory.pk, "reason": str(error)})
        raise DirectoryUnavailable from error


def find(provider: IdentityProvider, claimed: Claimed) -> User | None:
    """Raises SignInRefused."""
    if provider.directory is None or _is_of_provider(provider, claimed):
        return None
    link = _link(provider, claimed)
    number = link.user_id if link else _matching(provider, claimed)
    if number is None:
        return None
    user = User.objects.select_for_update(of=("self",)).select_related("directory_entry").get(pk=number)
    if user.directory_entry.directory_id != provider.directory.pk:
        raise NotKnownHere("the provider does not speak for this person's directory any more")
    if not provider.directory.is_enabled:
        raise AccountDisabled
    if link is None:
        _add(user, provider, claimed)
    return user


def unlink(link: ProviderLink, *, actor: str) -> None:
    """Whoever comes from there next is held against the rule anew."""
    record(link.user, link.provider, actor=actor, action="user.unlinked")
    link.delete()


def record(user: User, provider: IdentityProvider, *, actor: str = ACTOR, action: str = "user.linked") -> None:
    audit.record(action, actor=actor, subject_type="user", subject=user.user_id, details={"provider": provider.name})


def _link(provider: IdentityProvider, claimed: Claimed) -> ProviderLink | None:
    return ProviderLink.objects.filter(provider=provider, subject=claimed.subject).first()


def _is_of_provider(provider: IdentityProvider, claimed: Claimed) -> bool:
    return DirectoryEntry.objects.filter(provider=provider, external_id=claimed.subject).exists()


def _name(provider: IdentityProvider, claimed: Claimed) -> str:
    """What the rule looks at."""
    if provider.matches_by != BY_EMAIL:
        return claimed.user_id
    return claimed.email if claimed.is_email_verified else ""


def _matching(provider: IdentityProvider, claimed: Claimed) -> int | None:
    if not (name := _name(provider, claimed)):
        return None
    there = User.objects.filter(directory_entry__directory=provider.directory, directory_entry__gone_at=None)
    found: set[int] = set()
    for column in ("email",) if provider.matches_by == BY_EMAIL else ("user_id", "upn"):
        found.update(there.alias(lower=Lower(column)).filter(lower=name.lower()).values_list("pk", flat=True)[:2])
    if len(found) > 1:
        raise NotKnownHere("several people of the directory match")
    return next(iter(found), None)


def _add(user: User, provider: IdentityProvider, claimed: Claimed) -> None:
    if user.is_admin:
        raise NotKnownHere("administrators are linked by no rule")
    if ProviderLink.objects.filter(user=user, provider=provider).exists():
        raise NotKnownHere("another account of the provider is linked to this person")
    ProviderLink.objects.create(user=user, provider=provider, subject=claimed.subject)
    record(user, provider)
