"""Whom a provider's person is here: found again, linked to whom was added beforehand, or added now.

The rule that nobody takes over an account (docs/decisions/0036): a person is found by the provider and its `sub`, by
nothing that can be chosen or changed.  To somebody who was here before they are linked only where the provider may do
so, by the whole user ID, and only to a person whom nobody ever could sign in as: local, no password, no PIN, no
administrator.  A provider may be told to speak for a directory (decision 48): its people are known again by the
rule of the administrator and stay people of the directory, which says what they are called and whether they are there.
"""

from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from epmm import audit
from epmm.models import AuditEntry
from users.errors import AccountDisabled, InvalidPerson, NotInGroup, NotKnownHere
from users.models import DirectoryEntry, Group, IdentityProvider, Membership, Role, User
from users.protocol.claims import Claimed
from users.services import account_mapping, group_sizes, people, roles
from users.services.account_mapping import Rule, Wanted
from users.services.oidc import linked

ACTOR: Final = "identity provider"


def arrive(provider: IdentityProvider, claimed: Claimed) -> User:
    """Raises SignInRefused."""
    if provider.allowed and not provider.allowed & (claimed.groups or frozenset()):
        raise NotInGroup("" if claimed.groups is not None else "the provider sent no groups")
    linked.read(provider, claimed)
    try:
        with transaction.atomic():
            of_directory = linked.find(provider, claimed)
            user = of_directory or _of_provider(provider, claimed)
            if not user.is_active:
                raise AccountDisabled
            (_follow if of_directory else _keep_in_step)(user, provider, claimed)
    except IntegrityError as error:  # two sign-ins of somebody new at once
        raise NotKnownHere("the same moment") from error
    return user


def provider_of(user: User, among: QuerySet[IdentityProvider]) -> IdentityProvider | None:
    """Where this person signs in."""
    return among.filter(Q(entries__user=user) | Q(links__user=user)).first()


def _follow(user: User, provider: IdentityProvider, claimed: Claimed) -> None:
    """What the directory does not say: groups of the provider, and an account for who has none."""
    if claimed.groups is not None:
        _join(user, provider, claimed.groups)
    if user.managed_apple_account is None:
        mapped = account_mapping.read(Rule.of(provider), _attributes(claimed), user)
        entry = DirectoryEntry.objects.get(user=user)
        (outcome,) = account_mapping.plan([Wanted(user=user, entry=entry, mapped=mapped)])
        if outcome.changes:
            user.managed_apple_account = outcome.account
            user.save(update_fields=["managed_apple_account"])
        elif outcome.state in account_mapping.TOLD:
            _refuse_account(user, outcome.problem)


def _of_provider(provider: IdentityProvider, claimed: Claimed) -> User:
    return _known(provider, claimed) or _linked(provider, claimed) or _added(provider, claimed)


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
    linked.record(user, provider)
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
    said_before = account_mapping.said_before(entry, account_mapping.CLAIM)
    entry.attributes = _attributes(claimed)
    if claimed.groups is not None:
        _join(user, provider, claimed.groups)
    _follow_account(user, entry, provider, said_before)
    entry.save(update_fields=["gone_at", "attributes", "account", "account_state"])


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


def _follow_account(user: User, entry: DirectoryEntry, provider: IdentityProvider, said_before: str) -> None:
    """Somebody else's or of a foreign domain: it stays as it was, which enrollment then tells the person."""
    mapped = account_mapping.read(Rule.of(provider), entry.attributes, user)
    before = user.managed_apple_account
    wanted = Wanted(user=user, entry=entry, mapped=mapped, said_before=said_before)
    for problem in account_mapping.follow([wanted], actor=ACTOR):
        _refuse_account(user, problem)
    if user.managed_apple_account != before:
        user.save(update_fields=["managed_apple_account"])


def _refuse_account(user: User, problem: str) -> None:
    audit.record(
        "user.account_refused",
        actor=ACTOR,
        subject_type="user",
        subject=user.user_id,
        status=AuditEntry.Status.FAILED,
        details={"reason": problem},
    )
