"""Signing in to the user portal.  What a person can do there, they do to their own devices alone."""

import time
from enum import StrEnum
from typing import Final

from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import audit, options, settings_store
from epmm.models import AuditEntry
from users.errors import InvalidPerson, NoUserPortal, PasswordMustChange, SamePassword, WrongCode, WrongCredentials
from users.models import PersonSession, Role, User
from users.services import half_way, people, second_factor
from users.services import sign_in as credentials
from users.services.oidc import doors
from users.services.sign_in import Requirement
from users.sessions import keep_roles

PROVED: Final = "proved_user"  # to web registration: no sign-in, which needs a role
CONFIRMED: Final = "confirmed_at"
CONFIRMED_SECONDS: Final = 300
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


class Step(StrEnum):
    """What is left to do after the right password, each with the name of its page."""

    DONE = "home"
    CODE = "sign-in-code"
    NEW_PASSWORD = "sign-in-password"  # noqa: S105 - a page
    REGISTERS = "go"


def begin(request: HttpRequest, name: str, password: str, *, address: str | None) -> Step:
    """Check the password.  Raises SignInRefused."""
    try:
        user = _checked(name, password, address)
        is_over = people.password_is_over(user, timezone.now())
    except PasswordMustChange:
        user, is_over = _known(name), True
    if not is_over:
        return go_on(request, user)
    half_way.wait(request, user, must_change=True)
    return Step.NEW_PASSWORD


def choose_password(request: HttpRequest, user: User, password: str) -> Step:
    """Of one's own, in the place of the one that was handed out.  Raises InvalidPerson, SignInRefused."""
    if user.check_password(password):
        raise SamePassword
    people.set_password(user, password, actor=user.user_id)
    request.session.flush()  # whatever comes of the rest, this is done
    return go_on(request, user)


def finish(request: HttpRequest, user: User, code: str, *, address: str | None) -> None:
    """Raises SignInRefused."""
    _check_code(user, code, address)
    came_from = doors.remembered(request.session)
    enter(request, user)
    request.session.update(came_from)


def enter(request: HttpRequest, user: User) -> None:
    """Sign in who has proved who they are, whatever proved it.  Raises NoUserPortal."""
    roles = _check_role(user)
    request.session.flush()  # Django keeps the key of somebody who signs in again
    login(request, user, backend=BACKEND)
    keep_roles(request.session, roles)
    note_confirmed(request)
    request.session.set_expiry(settings_store.read(options.IDLE_MINUTES) * 60)
    _end_oldest(user)
    _record("self.signed_in", user)


def prove(request: HttpRequest, user: User) -> None:
    """Who they are is known for a while, and no more than that."""
    request.session.flush()
    request.session[PROVED] = user.pk
    request.session.set_expiry(half_way.SECONDS)


def proved(request: HttpRequest) -> User | None:
    return half_way.enabled(request.session.get(PROVED))


def leave(request: HttpRequest) -> None:
    if isinstance(request.user, User):
        _record("self.signed_out", request.user)
    logout(request)


def change_password(request: HttpRequest, user: User, current: str, password: str, *, address: str | None) -> None:
    """One's own; all other sessions end.  Raises SignInRefused, InvalidPerson."""
    if not keeps_password(user):
        raise InvalidPerson(_("Your password is kept by your organization's directory. Change it there."))
    _checked(user.user_id, current, address)
    if password == current:
        raise SamePassword
    people.set_password(user, password, actor=user.user_id)
    update_session_auth_hash(request, user)
    PersonSession.objects.filter(user=user).exclude(pk=request.session.session_key).delete()


def keeps_password(user: User) -> bool:
    """Whether the password is ours to change."""
    return user.source == User.Source.LOCAL and user.has_usable_password()


def has_password(user: User) -> bool:
    """Whether there is one to ask for; at an identity provider one signs in anew instead."""
    return user.source != User.Source.OIDC


def asks_code(user: User) -> bool:
    return second_factor.is_on(user)


def confirm(user: User, password: str, code: str, *, address: str | None) -> None:
    """Once more, before something that cannot be undone.  Raises SignInRefused."""
    if _checked(user.user_id, password, address) != user:
        raise WrongCredentials
    if second_factor.is_on(user):
        _check_code(user, code, address)


def note_confirmed(request: HttpRequest) -> None:
    request.session[CONFIRMED] = int(time.time())


def forget_confirmed(request: HttpRequest) -> None:
    request.session.pop(CONFIRMED, None)


def is_fresh(request: HttpRequest) -> bool:
    """Has shown a moment ago that it is they."""
    return time.time() - int(request.session.get(CONFIRMED, 0)) < CONFIRMED_SECONDS


def go_on(request: HttpRequest, user: User) -> Step:
    """A second factor that somebody has for the Admin Portal is asked for here, too."""
    if second_factor.is_on(user):
        _check_role(user)
        half_way.wait(request, user)
        return Step.CODE
    enter(request, user)
    return Step.DONE


def _known(name: str) -> User:
    user = people.resolve(name, options.enrollment_domains())
    if user is None:
        raise WrongCredentials
    return user


def _checked(name: str, password: str, address: str | None) -> User:
    return credentials.verify(
        name,
        password=password,
        pin="",
        requirement=Requirement.PASSWORD,
        address=address,
        used_for="",
        domains=options.enrollment_domains(),
    ).user


def _check_role(user: User) -> frozenset[str]:
    roles = user.role_keys()
    if Role.PORTAL not in roles:
        _record("self.refused", user, AuditEntry.Status.FAILED)
        raise NoUserPortal
    return roles


def _check_code(user: User, code: str, address: str | None) -> None:
    try:
        second_factor.check_counted(user, code, address)
    except WrongCode:
        _record("self.wrong_code", user, AuditEntry.Status.FAILED)
        raise


def _end_oldest(user: User) -> None:
    """With the one that begins, so many at once."""
    newest = PersonSession.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-started_at")
    kept = newest.values_list("pk", flat=True)[: settings_store.read(options.SESSIONS) - 1]
    PersonSession.objects.filter(user=user).exclude(pk__in=list(kept)).delete()


def _record(action: str, user: User, status: AuditEntry.Status = AuditEntry.Status.SUCCESS) -> None:
    audit.record(action, actor=user.user_id, subject_type="user", subject=user.user_id, status=status)
