"""Adding people, and finding the one that a typed name means."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import audit, options, settings_store
from epmm.numbers import grouped
from users.errors import InvalidPerson, UnknownPerson
from users.models import AdminRole, PersonSession, PortalSession, Role, User
from users.services import accounts, administrators, former_passwords, roles

LONGEST_NAME: Final = 320  # what anyone may type to say who they are: an address
LONGEST_PASSWORD: Final = 1024
USER_ID: Final = re.compile(r"[A-Za-z0-9_.@$#-]{1,150}")
RESERVED: Final = re.compile(r"_MI\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    user_id: str
    first_name: str = ""
    last_name: str = ""
    display_name: str = ""
    email: str = ""
    managed_apple_account: str | None = None
    password: str | None = field(default=None, repr=False)  # None: can sign in with a PIN only
    roles: Sequence[str] = ()
    is_admin: bool = False


def create(new: NewPerson, *, actor: str) -> User:
    """Add a local user, who may use the portal from the start.  The database decides whether a name was free."""
    return add(checked(new), new, actor=actor)


def add(user: User, new: NewPerson, *, actor: str) -> User:
    """Whom `checked` has made of it."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            audit.record(
                "user.created",
                actor=actor,
                subject_type="user",
                subject=user.user_id,
                details={"admin": user.is_admin, "account": user.managed_apple_account},
            )
            roles.grant(user, [Role.PORTAL, *new.roles], actor=actor)
            if new.is_admin:
                administrators.set_roles(user, AdminRole.values, actor=actor)
    except IntegrityError as error:
        refuse_taken(user)
        raise InvalidPerson from error  # whoever had it has just let go
    return user


@transaction.atomic
def set_active(user: User, *, is_active: bool, actor: str) -> User:
    """Whether the person may sign in and enroll; what they have enrolled stays."""
    if not is_active:
        administrators.keep_an_appointer(user)
        PortalSession.objects.filter(user=user).delete()
        PersonSession.objects.filter(user=user).delete()
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    action = "user.enabled" if is_active else "user.disabled"
    audit.record(action, actor=actor, subject_type="user", subject=user.user_id)
    return user


@transaction.atomic
def set_password(user: User, password: str, *, actor: str, must_change: bool = False) -> None:
    """Raises InvalidPerson.  `must_change` is for one that somebody else has thought of."""
    try:
        _check_password(password, user)
    except ValidationError as error:
        raise InvalidPerson(" ".join(error.messages)) from error
    former_passwords.refuse(user, password)
    store_password(user, make_password(password), actor=actor, must_change=must_change)


@transaction.atomic
def store_password(user: User, hashed: str, *, actor: str, must_change: bool) -> None:
    former_passwords.keep(user)
    user.password = hashed
    user.must_change_password, user.password_changed_at = must_change, timezone.now()
    user.save(update_fields=["password", "must_change_password", "password_changed_at"])
    audit.record("user.password_changed", actor=actor, subject_type="user", subject=user.user_id)


def password_is_over(user: User, now: datetime) -> bool:
    """Whether a new one is due; that of a directory is changed there."""
    days = settings_store.read(options.PASSWORD_DAYS)
    if days is None or user.source != User.Source.LOCAL:
        return False
    return now - (user.password_changed_at or user.created_at) >= timedelta(days=days)


def resolve(typed: str, domains: Sequence[str]) -> User | None:
    """Whom a typed name means: a user ID, else a Managed Apple Account, else an e-mail address, else, in a domain of
    ours, the user ID before the `@`.  Always one query, so that its time tells nobody which of them matched.
    """
    name = typed.strip().lower()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        return None
    before_at = without_own_domain(name, domains)

    def distance(user: User) -> int:
        kinds = [user.user_id.lower(), user.managed_apple_account, user.email.lower(), name]
        return kinds.index(name)

    return min(_candidates(name, before_at), key=distance, default=None)


def without_own_domain(typed: str, domains: Sequence[str]) -> str:
    """`anna` and `anna@`, with a domain of ours, are one name, whether or not anybody has it."""
    name = typed.strip().lower()
    local, _at, domain = name.rpartition("@")
    return local if domain in domains else name


def domain_of(typed: str) -> str:
    """What stands behind the last @, if there is one."""
    return typed.strip().lower().rpartition("@")[2] if "@" in typed else ""


def own_domains(*more: str) -> list[str]:
    """Domains behind whose `@` nothing else is meant than in front of it."""
    return [*options.enrollment_domains(), *(domain.lower() for domain in more if domain)]


def _candidates(name: str, before_at: str) -> QuerySet[User]:
    """Each part has its index; that of the addresses leaves out the people who have none."""
    return User.objects.alias(lower_id=Lower("user_id"), lower_email=Lower("email")).filter(
        Q(lower_id__in=[name, before_at]) | Q(managed_apple_account=name) | (Q(lower_email=name) & ~Q(email=""))
    )


def by_user_id(user_id: str) -> User:
    """For administrators, who name people exactly.  Raises UnknownPerson."""
    user = User.objects.alias(lower_id=Lower("user_id")).filter(lower_id=user_id.lower()).first()
    if user is None:
        raise UnknownPerson(user_id)
    return user


def checked(new: NewPerson) -> User:
    """Raises InvalidPerson.  Slow, as hashing is: not inside a transaction."""
    check_user_id(new.user_id)
    user = User(
        user_id=new.user_id,
        first_name=new.first_name.strip(),
        last_name=new.last_name.strip(),
        full_name=new.display_name.strip(),
        email=new.email.strip(),
        managed_apple_account=accounts.normalized(new.managed_apple_account) if new.managed_apple_account else None,
        is_admin=new.is_admin,
    )
    check_names(user)
    try:
        user.clean_fields(exclude=["password"])
        if new.password is not None:
            _check_password(new.password, user)
    except ValidationError as error:
        raise InvalidPerson(" ".join(error.messages)) from error
    user.set_password(new.password)
    return user


def check_names(user: User) -> None:
    if not (user.full_name + user.first_name + user.last_name).isprintable():
        raise InvalidPerson(_("A name must not contain line breaks or control characters."))


def check_user_id(user_id: str) -> None:
    if USER_ID.fullmatch(user_id) is None:
        raise InvalidPerson(
            _("A user ID consists of 1 to 150 letters (A-Z), digits and the characters - _ . @ $ # without spaces.")
        )
    if RESERVED.search(user_id) is not None:
        raise InvalidPerson(_("_MI followed by digits is reserved and cannot be part of a user ID."))


def _check_password(password: str, user: User) -> None:
    if len(password) > LONGEST_PASSWORD:
        raise InvalidPerson(_("A password has at most {n} characters.").format(n=grouped(LONGEST_PASSWORD)))
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise InvalidPerson(_("The password is not valid text.")) from error
    validate_password(password, user)


def refuse_taken(user: User) -> None:
    """Say which value another person had first."""
    others = User.objects.exclude(pk=user.pk).alias(lower_id=Lower("user_id"), lower_email=Lower("email"))
    if others.filter(lower_id=user.user_id.lower()).exists():
        raise InvalidPerson(_("The user ID {user_id} is taken.").format(user_id=user.user_id))
    if user.email and others.filter(lower_email=user.email.lower()).exists():
        raise InvalidPerson(_("Another user already has the email address {email}.").format(email=user.email))
    if user.managed_apple_account:
        accounts.refuse_taken(user.managed_apple_account)
