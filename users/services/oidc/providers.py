"""Identity providers as administrators set them up."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import audit
from epmm.folding import fold
from users.errors import InvalidPerson
from users.models import Group, IdentityProvider, SpentSignIn
from users.services.oidc import known

SPENT_KEPT: Final = timedelta(hours=1)  # longer than any callback is taken
AUDITED: Final = (
    "name", "is_enabled", "position", "for_portal", "for_enrollment", "issuer", "client_id", "scopes",
    "user_id_claim", "email_claim", "name_claim", "first_name_claim", "last_name_claim", "groups_claim",
    "account_claim", "account_source", "account_pattern", "allowed_groups", "creates_people", "links_people",
    "for_self", "directory_id", "matches_by",
)  # fmt: skip


def for_portal() -> QuerySet[IdentityProvider]:
    return IdentityProvider.objects.filter(is_enabled=True, for_portal=True).order_by("position", "name")


def for_self() -> QuerySet[IdentityProvider]:
    return IdentityProvider.objects.filter(is_enabled=True, for_self=True).order_by("position", "name")


def for_enrollment() -> QuerySet[IdentityProvider]:
    return IdentityProvider.objects.filter(is_enabled=True, for_enrollment=True).order_by("position", "name")


def keep_issuer(provider: IdentityProvider, issuer: str) -> None:
    """Raises InvalidPerson: whoever names an issuer says who its people are, administrators among them."""
    before = IdentityProvider.objects.filter(pk=provider.pk).first()
    is_another = before is not None and before.issuer.rstrip("/") != issuer.rstrip("/")
    if is_another and (provider.entries.exists() or provider.links.exists()):
        raise InvalidPerson(
            _(
                "People come from it, and another issuer could claim to be any of them."
                " Add that one as another provider."
            )
        )


def save(provider: IdentityProvider, *, secret: str, groups: Iterable[str], actor: str) -> None:
    """`secret`: empty leaves the one there is; a changed issuer takes it away, for it would be sent there."""
    keep_issuer(provider, provider.issuer)
    before = IdentityProvider.objects.filter(pk=provider.pk).first()
    if secret:
        provider.client_secret = secret.encode()
    elif before is not None and before.issuer != provider.issuer:
        provider.client_secret = None
    with transaction.atomic():
        provider.save()
        chosen = _choose(provider, groups)
        changes = {name: _change(before, provider, name) for name in AUDITED}
        details: dict[str, Any] = {name: change for name, change in changes.items() if change is not None}
        details |= {"secret": "changed"} if secret else {}
        details |= {"groups": chosen} if chosen else {}
        action = "identity_provider.changed" if before else "identity_provider.added"
        audit.record(action, actor=actor, subject_type="identity_provider", subject=provider.name, details=details)
    known.forget()


def _change(before: IdentityProvider | None, after: IdentityProvider, name: str) -> list[Any] | None:
    was, now = getattr(before, name, None), getattr(after, name)
    return None if was == now else [was, now]


def _choose(provider: IdentityProvider, names: Iterable[str]) -> dict[str, list[str]]:
    """The groups that are used here; whoever is in them is found out at the next sign-in."""
    wanted = frozenset(names)
    held = frozenset(provider.groups.values_list("external_id", flat=True))
    provider.groups.exclude(external_id__in=wanted).delete()
    new = sorted(wanted - held)
    Group.objects.bulk_create(
        Group(provider=provider, external_id=name, name=name, name_folded=fold(name)) for name in new
    )
    changes = {"added": new, "removed": sorted(held - wanted)}
    return changes if any(changes.values()) else {}


@transaction.atomic
def delete(provider: IdentityProvider, *, actor: str) -> bool:
    """False while people come from it: they could not sign in any more, and nobody would know why."""
    if provider.entries.exists():
        return False
    audit.record("identity_provider.deleted", actor=actor, subject_type="identity_provider", subject=provider.name)
    provider.delete()
    return True


def forget_spent() -> None:
    SpentSignIn.objects.filter(at__lt=timezone.now() - SPENT_KEPT).delete()
