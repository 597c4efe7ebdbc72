"""Signing in to the portal: password, then the second factor of whoever has one."""

import time
from enum import StrEnum
from typing import Final

from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import HttpRequest
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from epmm import audit, options, settings_store
from epmm.client_address import client_address
from epmm.models import AuditEntry
from users.errors import NoAdministrator, PasswordMustChange, SamePassword, WrongCode
from users.models import IdentityProvider, PortalSession, User
from users.services import half_way, people, second_factor
from users.services import sign_in as credentials
from users.services.oidc import doors, providers
from users.services.oidc import people as provider_people
from users.services.sign_in import Requirement
from users.sessions import ADDRESS, keep_roles

CONFIRMED: Final = "confirmed_at"
PREVIOUS: Final = "previous_sign_in"
CONFIRMED_SECONDS: Final = 300
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


class Step(StrEnum):
    """What is left to do after the right password, each with the name of its page."""

    DONE = "start"
    CODE = "second-factor"
    NEW_PASSWORD = "new-password"  # noqa: S105 - a page


def begin(request: HttpRequest, name: str, password: str) -> Step:
    """Check the password.  Raises SignInRefused."""
    try:
        user = _checked(request, name, password)
        is_over = people.password_is_over(user, timezone.now())
    except PasswordMustChange:
        user, is_over = _known(name), True
    if is_over:
        half_way.wait(request, user, must_change=True)
        return Step.NEW_PASSWORD
    return go_on(request, user)


def choose_password(request: HttpRequest, user: User, password: str) -> Step:
    """Of one's own, in the place of the one that was handed out.  Raises InvalidPerson."""
    if user.check_password(password):
        raise SamePassword
    people.set_password(user, password, actor=user.user_id)
    request.session.flush()  # whatever comes of the rest, this is done
    return go_on(request, user)


def go_on(request: HttpRequest, user: User) -> Step:
    """With whoever has proved who they are."""
    if second_factor.is_on(user):
        half_way.wait(request, user)
        return Step.CODE
    _enter(request, user)
    return Step.DONE


def _known(name: str) -> User:
    user = people.resolve(name, options.enrollment_domains())
    if user is None or not user.is_admin:
        raise NoAdministrator
    return user


def finish(request: HttpRequest, user: User, code: str) -> None:
    """Raises SignInRefused."""
    _check_code(request, user, code)
    came_from = doors.remembered(request.session)
    _enter(request, user)
    request.session.update(came_from)


def confirm(request: HttpRequest, user: User, password: str, code: str) -> None:
    """Once more, before something that cannot be undone.  Raises SignInRefused."""
    _checked(request, user.user_id, password)
    if second_factor.is_on(user):
        _check_code(request, user, code)
    note_confirmed(request)


def note_confirmed(request: HttpRequest) -> None:
    """Who holds the key may do more from now on, so it is another one."""
    request.session.cycle_key()
    request.session[CONFIRMED] = int(time.time())


def is_confirmed(request: HttpRequest) -> bool:
    return time.time() - int(request.session.get(CONFIRMED, 0)) < CONFIRMED_SECONDS


def confirms_elsewhere(user: User) -> IdentityProvider | None:
    """The provider at which somebody without a password of ours shows that it is they."""
    return None if user.has_usable_password() else provider_people.provider_of(user, providers.for_portal())


def change_password(request: HttpRequest, user: User, current: str, password: str) -> None:
    """One's own; all other sessions end.  Raises SignInRefused, InvalidPerson."""
    _checked(request, user.user_id, current)
    if password == current:
        raise SamePassword
    people.set_password(user, password, actor=user.user_id)
    update_session_auth_hash(request, user)
    end_sessions(request, user)


def end_sessions(request: HttpRequest, user: User) -> int:
    """All of this person but the one that asks; how many there were."""
    return PortalSession.objects.filter(user=user).exclude(pk=request.session.session_key).delete()[0]


def leave(request: HttpRequest) -> None:
    if isinstance(request.user, User):
        _record("portal.signed_out", request, request.user)
    logout(request)


def has_second_factor(user: User) -> bool:
    return second_factor.is_on(user)


def safe(request: HttpRequest, address: str) -> str:
    """An address of ours to go on to; empty when it is not one."""
    own = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}, require_https=True)
    return address if own and address.startswith("/") else ""


def _checked(request: HttpRequest, name: str, password: str) -> User:
    signed_in = credentials.verify(
        name,
        password=password,
        pin="",
        requirement=Requirement.PASSWORD,
        address=client_address(request),
        used_for="",
        domains=options.enrollment_domains(),
    )
    if not signed_in.user.is_admin:
        record_refusal(request, signed_in.user)
        raise NoAdministrator
    return signed_in.user


def record_refusal(request: HttpRequest, user: User) -> None:
    _record("portal.refused", request, user, AuditEntry.Status.FAILED)


def _check_code(request: HttpRequest, user: User, code: str) -> None:
    try:
        second_factor.check_counted(user, code, client_address(request))
    except WrongCode:
        _record("portal.wrong_code", request, user, AuditEntry.Status.FAILED)
        raise


def _enter(request: HttpRequest, user: User) -> None:
    address = audit.plain_address(client_address(request))
    previous = [user.last_portal_login_at.isoformat() if user.last_portal_login_at else "", user.last_portal_login_from]
    request.session.flush()  # Django keeps the key of somebody who signs in again
    login(request, user, backend=BACKEND)
    keep_roles(request.session, user.admin_role_keys())
    request.session[ADDRESS] = address
    request.session[CONFIRMED] = int(time.time())
    request.session.set_expiry(settings_store.read(options.IDLE_MINUTES) * 60)
    if settings_store.read(options.SHOW_LAST_SIGN_IN):
        request.session[PREVIOUS] = previous
    user.last_portal_login_at, user.last_portal_login_from = timezone.now(), address
    user.save(update_fields=["last_portal_login_at", "last_portal_login_from"])
    _end_oldest(user)
    _record("portal.signed_in", request, user)


def _end_oldest(user: User) -> None:
    """With the one that begins, so many at once."""
    newest = PortalSession.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-started_at")
    kept = newest.values_list("pk", flat=True)[: settings_store.read(options.SESSIONS) - 1]
    PortalSession.objects.filter(user=user).exclude(pk__in=list(kept)).delete()


def _record(
    action: str, request: HttpRequest, user: User, status: AuditEntry.Status = AuditEntry.Status.SUCCESS
) -> None:
    audit.record(
        action,
        actor=user.user_id,
        subject_type="user",
        subject=user.user_id,
        address=client_address(request),
        status=status,
    )
