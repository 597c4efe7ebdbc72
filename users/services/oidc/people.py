"""Whom a provider's person is here: found again, linked to whom was added beforehand, or added now.

The rule that nobody takes over an account (docs/decisions/0036): a person is found by the provider and its `sub`, by
nothing that can be chosen or changed.  To somebody who was here before they are linked only where the provider may do
so, by the whole user ID, and only to a person whom nobody ever could sign in as: local, no password, no PIN, no
administrator.
"""

from typing import Final

from django.db import IntegrityError, transaction
from django.db.models.functions import Lower

from epmm import audit
from epmm.models import AuditEntry
from users.errors import AccountDisabled, InvalidAccount, InvalidPerson, NotInGroup, NotKnownHere
from users.models import DirectoryEntry, Group, IdentityProvider, Membership, Role, User
from users.protocol.claims import Claimed
from users.services import accounts, group_sizes, people, roles

ACTOR: Final = "identity provider"


def arrive(provider: IdentityProvider, claimed: Claimed) -> User:
    """Raises SignInRefused."""
    if provider.allowed and not provider.allowed & (claimed.groups or frozenset()):
        raise NotInGroup("" if claimed.groups is not None else "the provider sent no groups")
    try:
        with transaction.atomic():
            user = _known(provider, claimed) or _linked(provider, claimed) or _added(provider, claimed)
            if not user.is_active:
                raise AccountDisabled
            _keep_in_step(user, provider, claimed)
    except IntegrityError as error:  # two sign-ins of somebody new at once
        raise NotKnownHere("the same moment") from error
    return user


def provider_of(user: User) -> IdentityProvider | None:
    """Where an administrator signs in, if it is at a provider that is enabled for the portal."""
    theirs = DirectoryEntry.objects.filter(user=user, provider__is_enabled=True, provider__for_portal=True)
    entry = theirs.select_related("provider").first()
    return entry.provider if entry else None


def _known(provider: IdentityProvider, claimed: Claimed) -> User | None:
    entry = DirectoryEntry.objects.filter(provider=provider, external_id=claimed.subject).first()
    return User.objects.select_for_update().get(pk=entry.user_id) if entry else None


def _named(claimed: Claimed) -> User | None:
    name = claimed.user_id.lower()
    return User.objects.select_for_update().alias(lower_id=Lower("user_id")).filter(lower_id=name).first()


def _linked(provider: IdentityProvider, claimed: Claimed) -> User | None:
    user = _named(claimed) if claimed.user_id else None
    if user is None:
        return None
    if not provider.links_people or not _nobody_signs_in_as(user):
        raise NotKnownHere(f"the user ID is taken by somebody who does not come from {provider.name}")
    _enter(user, provider, claimed)
    audit.record(
        "user.linked", actor=ACTOR, subject_type="user", subject=user.user_id, details={"provider": provider.name}
    )
    return user


def _nobody_signs_in_as(user: User) -> bool:
    return (
        user.source == User.Source.LOCAL
        and not user.has_usable_password()
        and not user.is_admin
        and not user.registration_pins.exists()
        and not DirectoryEntry.objects.filter(user=user).exists()
    )


def _added(provider: IdentityProvider, claimed: Claimed) -> User:
    if not provider.creates_people:
        raise NotKnownHere(f"{provider.name} adds nobody")
    try:
        people.check_user_id(claimed.user_id)
    except InvalidPerson as error:
        raise NotKnownHere(f"the claim {provider.user_id_claim} holds no possible user ID") from error
    user = User(user_id=claimed.user_id)
    user.set_unusable_password()
    user.save(force_insert=True)
    _enter(user, provider, claimed)
    audit.record(
        "user.created", actor=ACTOR, subject_type="user", subject=user.user_id, details={"provider": provider.name}
    )
    roles.grant(user, [Role.PORTAL], actor=ACTOR)
    return user


def _enter(user: User, provider: IdentityProvider, claimed: Claimed) -> None:
    DirectoryEntry.objects.create(user=user, provider=provider, external_id=claimed.subject)
    user.source = User.Source.OIDC
    user.save(update_fields=["source"])


def _keep_in_step(user: User, provider: IdentityProvider, claimed: Claimed) -> None:
    """With each sign-in.  What the provider does not say stays."""
    said = {name: value for name in ("first_name", "last_name", "full_name") if (value := getattr(claimed, name))}
    if claimed.email and claimed.email.lower() != user.email.lower() and _is_free(user, claimed.email):
        said["email"] = claimed.email
    changed = {name: value for name, value in said.items() if getattr(user, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.save(update_fields=list(changed))
    entry = DirectoryEntry.objects.get(user=user)
    entry.gone_at = None
    entry.attributes = _attributes(claimed)
    entry.save(update_fields=["gone_at", "attributes"])
    if claimed.groups is not None:
        _join(user, provider, claimed.groups)
    if claimed.account:
        _assign_account(user, claimed.account)


def _is_free(user: User, email: str) -> bool:
    others = User.objects.exclude(pk=user.pk).alias(lower_email=Lower("email"))
    return not others.filter(lower_email=email.lower()).exists()


def _attributes(claimed: Claimed) -> dict[str, list[str]]:
    """Name to texts, as every origin keeps them."""
    one = {name: getattr(claimed, name) for name in ("user_id", "email", "full_name", "account")}
    found = {name: [value] for name, value in one.items() if value}
    return found | ({"groups": sorted(claimed.groups)[:200]} if claimed.groups else {})


def _join(user: User, provider: IdentityProvider, names: frozenset[str]) -> None:
    """The chosen groups among these, and no others of this provider."""
    held = dict(Membership.objects.filter(user=user, group__provider=provider).values_list("group_id", "pk"))
    wanted = set(Group.objects.filter(provider=provider, external_id__in=names).values_list("pk", flat=True))
    left = [pk for group, pk in held.items() if group not in wanted]
    if left:
        Membership.objects.filter(pk__in=left).delete()
    joined = sorted(wanted - set(held))
    Membership.objects.bulk_create([Membership(user=user, group_id=group) for group in joined], ignore_conflicts=True)
    group_sizes.recount(wanted ^ set(held))


def _assign_account(user: User, account: str) -> None:
    """Somebody else's or of a foreign domain: it stays as it was, which enrollment then tells the person."""
    try:
        value = accounts.normalized(account)
    except InvalidAccount as error:
        return _refuse_account(user, str(error))
    if value == user.managed_apple_account:
        return None
    for problem in accounts.follow([(user, value)], actor=ACTOR):
        return _refuse_account(user, problem)
    return user.save(update_fields=["managed_apple_account"])


def _refuse_account(user: User, problem: str) -> None:
    audit.record(
        "user.account_refused",
        actor=ACTOR,
        subject_type="user",
        subject=user.user_id,
        status=AuditEntry.Status.FAILED,
        details={"reason": problem},
    )
