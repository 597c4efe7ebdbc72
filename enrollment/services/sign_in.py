"""The web sign-in (`apple-as-web`): who is there, may they, do they agree; then a token for the device.

Nothing is stored before the person has proved who they are: the state travels signed in the path (devices drop the
query of the announced URL) and, once known, the person travels in a signed ticket in the form.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment import reasons
from enrollment.models import AccessToken, Attempt, AuthorizationCode, PolicyText, Step
from enrollment.protocol import challenge
from enrollment.reasons import Reason
from enrollment.services import consent, invitations, oauth, policy, registration, tokens, trace
from enrollment.services.policy import Refused
from enrollment.services.rules import Sayings
from epmm import options, settings_store
from users.errors import (
    AccountDisabled,
    DirectoryUnavailable,
    NotInGroup,
    NotKnownHere,
    PasswordMustChange,
    PinExpired,
    PinUsed,
    ProviderDoubted,
    ProviderDown,
    ProviderRefused,
    ProviderSaidNo,
    SignInRefused,
    SignInStale,
    TooManyAttempts,
    WrongCredentials,
)
from users.models import IdentityProvider, RegistrationPin, User
from users.protocol.claims import Claimed
from users.services import people, pins
from users.services import sign_in as credentials
from users.services.oidc import people as provider_people

STATE_SECONDS: Final = 3600
TICKET_SECONDS: Final = STATE_SECONDS
STATE_SALT: Final = "enrollment.sign-in.state"
TICKET_SALT: Final = "enrollment.sign-in.ticket"
REASONS: Final[Mapping[type[SignInRefused], Reason]] = {
    TooManyAttempts: reasons.TOO_MANY_ATTEMPTS,
    WrongCredentials: reasons.WRONG_CREDENTIALS,
    PinExpired: reasons.PIN_EXPIRED,
    PasswordMustChange: reasons.PASSWORD_MUST_CHANGE,
    DirectoryUnavailable: reasons.DIRECTORY_DOWN,
    AccountDisabled: reasons.ACCOUNT_DISABLED,
    ProviderDown: reasons.PROVIDER_DOWN,
    ProviderDoubted: reasons.PROVIDER_DOUBTED,
    ProviderSaidNo: reasons.PROVIDER_SAID_NO,
    SignInStale: reasons.SIGN_IN_EXPIRED,
    NotKnownHere: reasons.NOT_KNOWN_HERE,
    NotInGroup: reasons.NOT_IN_GROUP,
}


class SignInExpired(Exception):
    """The address of the page is too old or was altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the device told us before its person came: carried in the path, signed."""

    reference: str  # of this sign-in
    base_reference: str  # of the BaseURL, where the profile will be fetched
    kind: str
    identifier: str = ""
    family: str = ""
    product: str = ""
    os_version: str = ""
    udid: str = ""
    language: str = ""
    enrollment: int = 0  # that goes on, where an enrolled device is to sign in again
    oauth_state: str = field(default="", repr=False)  # of a device that gets a code instead of its token
    code_challenge: str = ""

    def seal(self) -> str:
        known = {name: value for name, value in asdict(self).items() if value}
        return signing.dumps(known, salt=STATE_SALT, compress=True)

    @classmethod
    def unseal(cls, text: str) -> "State":
        return cls(**{"reference": "", "base_reference": "", **unsealed(text, STATE_SALT, STATE_SECONDS)})

    @property
    def pin_use(self) -> str:
        """What a PIN is used for: this device where it says which it is, however often its person begins anew; else
        this sign-in."""
        used_for = f"device {self.udid}" if self.udid else f"sign-in {self.reference}"
        return hashlib.sha256(used_for.encode()).hexdigest()

    def facts(self) -> policy.Facts:
        return policy.Facts(
            kind=Enrollment.Kind(self.kind),
            domain=people.domain_of(self.identifier),
            family=self.family,
            os_version=self.os_version,
            udid=self.udid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A person who has signed in for one state, and what they have accepted since."""

    reference: str
    user: int
    pin: int | None = None
    accepted: tuple[int, ...] = ()

    def seal(self) -> str:
        return signing.dumps(asdict(self), salt=TICKET_SALT)

    @classmethod
    def unseal(cls, text: str, *, state: State) -> "Ticket":
        values = unsealed(text, TICKET_SALT, TICKET_SECONDS)
        ticket = cls(**{**values, "accepted": tuple(values["accepted"])})
        if ticket.reference != state.reference:
            raise SignInExpired
        return ticket


def unsealed(text: str, salt: str, max_age: int) -> dict[str, Any]:
    """Raises SignInExpired."""
    try:
        values: dict[str, Any] = signing.loads(text, salt=salt, max_age=max_age)
    except signing.BadSignature as error:
        raise SignInExpired from error
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What the person typed."""

    name: str
    password: str = field(default="", repr=False)
    pin: str = field(default="", repr=False)


def verify(state: State, entered: Entered, *, address: str | None) -> Ticket:
    """Check the credentials, then whether this person may enroll this device.  Raises Refused."""
    return _admitted(
        state, lambda: checked_credentials(entered, used_for=state.pin_use, address=address), address=address
    )


def verify_claimed(state: State, provider: IdentityProvider, claimed: Claimed, *, address: str | None) -> Ticket:
    """The same for somebody whom an identity provider has sent back.  Raises Refused."""
    return _admitted(state, lambda: (_checked_claims(provider, claimed), None), address=address)


def _admitted(state: State, who: Callable[[], tuple[User, RegistrationPin | None]], *, address: str | None) -> Ticket:
    attempt = _attempt(state)
    try:
        user, pin = who()
        if not state.enrollment:
            attempt = attempt or trace.open_known(state.reference, identifier=state.identifier, address=address)
            trace.move(attempt, Attempt.State.OPEN, user=user, kind=state.kind, owner="")
        trace.step(attempt, Step.CREDENTIALS)
        _check_same_person(state, user)
        _require(state, user)
    except Refused as refused:
        record(attempt, refused)
        raise
    trace.step(attempt, Step.POLICY)
    return Ticket(reference=state.reference, user=user.pk, pin=pin.pk if pin else None)


def refuse(state: State, error: ProviderRefused) -> Refused:
    """What a sign-in at a provider that led nowhere is for the person and in the trace."""
    refused = as_refused(error)
    record(_attempt(state), refused)
    return refused


def record(attempt: Attempt | None, refused: Refused, **details: object) -> None:
    details |= refused.details
    trace.step(attempt, _step_of(refused), result=trace.REFUSED, reason=refused.reason, **details)


def as_refused(error: SignInRefused) -> Refused:
    """With the code that it has in an enrollment."""
    reason = REASONS[type(error)]
    match error:
        case TooManyAttempts():
            return Refused(reason, seconds=error.seconds, why=error.limit)
        case ProviderRefused():
            return Refused(reason, why=error.why)
        case _:
            return Refused(reason)


def _checked_claims(provider: IdentityProvider, claimed: Claimed) -> User:
    try:
        return provider_people.arrive(provider, claimed)
    except SignInRefused as error:
        raise as_refused(error) from error


def _step_of(refused: Refused) -> Step:
    return Step.CREDENTIALS if refused.reason.code.startswith("E-2") else Step.POLICY


def checked_credentials(entered: Entered, *, used_for: str, address: str | None) -> tuple[User, RegistrationPin | None]:
    """By what `registration.requirement` asks for.  Raises Refused."""
    try:
        signed_in = credentials.verify(
            entered.name,
            password=entered.password,
            pin=entered.pin,
            requirement=settings_store.read(options.REQUIREMENT),
            address=address or "",
            used_for=used_for,
            domains=options.enrollment_domains(),
        )
    except SignInRefused as error:
        raise as_refused(error) from error
    return signed_in.user, signed_in.pin


def again(enrollment: Enrollment) -> State:
    """Of an enrolled device whose person is to sign in once more; nothing is stored for it."""
    return State(
        reference=secrets.token_urlsafe(16),
        base_reference="",
        kind=enrollment.kind,
        identifier=enrollment.managed_apple_account,
        family=enrollment.family,
        enrollment=enrollment.pk,
    )


def challenge_for(state: State) -> str:
    """The 401 on purpose, by the method that is set."""
    sealed = state.seal()
    if settings_store.read(options.AUTHENTICATION_METHOD) == "apple-oauth2":
        return oauth.challenge_for(sealed)
    return challenge.web_challenge(f"{settings.PUBLIC_URL}/enroll/sign-in/{sealed}")


def _attempt(state: State) -> Attempt | None:
    if not state.enrollment:
        return trace.find(state.reference)
    return Attempt.objects.filter(enrollment=state.enrollment).order_by("-pk").first()


def _require(state: State, user: User) -> None:
    """Whoever may not enroll any more keeps what is enrolled, so a sign-in once more asks for less."""
    if not state.enrollment:
        policy.require(user, state.facts())
        return
    policy.require(user, state.facts(), (policy.account_enabled,))
    if not Enrollment.objects.active().filter(pk=state.enrollment, user=user).exists():
        raise Refused(reasons.SOMEONE_ELSE)


def _check_same_person(state: State, user: User) -> None:
    """The profile will carry the account of who signed in: a device set up for somebody else must not get it."""
    owner = people.resolve(state.identifier, options.enrollment_domains()) if state.identifier else None
    if owner is not None and owner != user:
        raise Refused(reasons.SOMEONE_ELSE)


def next_policy(state: State, ticket: Ticket, languages: Sequence[str] = ()) -> PolicyText | None:
    """The text to show now; None when all are accepted."""
    due = [] if state.enrollment else consent.due(Enrollment.Kind(state.kind), languages, ticket.user)
    return next((text for text in due if text.pk not in ticket.accepted), None)


def accept(
    state: State, ticket: Ticket, policy_id: int, *, address: str | None, languages: Sequence[str] = ()
) -> Ticket:
    """Record the acceptance of the text that was shown.  Another text than the one due changes nothing."""
    shown = next_policy(state, ticket, languages)
    if shown is None or shown.pk != policy_id:
        return ticket
    attempt = trace.find(state.reference)
    consent.accept(_person(ticket), shown, attempt=attempt, address=address)
    trace.step(attempt, Step.CONSENT, kind=shown.kind, version=shown.version)
    return replace(ticket, accepted=(*ticket.accepted, shown.pk))


def _person(ticket: Ticket) -> User:
    user = User.objects.filter(pk=ticket.user).first()
    if user is None:  # deleted while reading the terms
        raise SignInExpired
    return user


def name_of(ticket: Ticket) -> str:
    return _person(ticket).display_name


def finish(state: State, ticket: Ticket) -> str:
    """Issue the token or the code for it; return the address that hands it to the device.  Raises Refused."""
    attempt = _attempt(state)
    try:
        with transaction.atomic():
            address = _issue_again(state, ticket, attempt) if state.enrollment else _issue(state, ticket, attempt)
    except Refused as refused:
        record(attempt, refused)
        raise
    trace.step(attempt, Step.TOKEN)
    return address


def _issue(state: State, ticket: Ticket, attempt: Attempt | None) -> str:
    user = _person(ticket)
    said = policy.require(user, state.facts())  # minutes may have passed on the consent pages
    pin = RegistrationPin.objects.filter(pk=ticket.pin).first() if ticket.pin else None
    if pin is not None:
        try:
            pins.consume(pin, used_for=state.pin_use)
        except PinUsed as error:
            raise Refused(reasons.WRONG_CREDENTIALS) from error
    known: dict[str, Any] = {
        "user": user,
        "kind": Enrollment.Kind(state.kind),
        "reference": state.base_reference,
        "attempt": attempt,
        "device": _provisional_device(state, user, said, pin, attempt),
    }
    if state.oauth_state:
        return challenge.code_url(oauth.issue_code(code_challenge=state.code_challenge, **known), state.oauth_state)
    return challenge.callback_url(tokens.issue(**known))


def _issue_again(state: State, ticket: Ticket, attempt: Attempt | None) -> str:
    user = _person(ticket)
    _require(state, user)
    enrollment = Enrollment.objects.select_for_update().get(pk=state.enrollment)
    if not state.oauth_state:
        return challenge.callback_url(tokens.reissue(enrollment, attempt=attempt))
    code = oauth.issue_code(
        user=user,
        kind=Enrollment.Kind(enrollment.kind),
        reference="",
        attempt=attempt,
        code_challenge=state.code_challenge,
        device=enrollment.device,
        enrollment=enrollment,
    )
    return challenge.code_url(code, state.oauth_state)


def _provisional_device(
    state: State, user: User, said: Sayings, pin: RegistrationPin | None, attempt: Attempt | None
) -> Device:
    """The record that shows in the list until Authenticate tells which device it is."""
    kind, platform = Enrollment.Kind(state.kind), policy.PLATFORM_OF.get(state.family, "")
    device = _waiting_record(state, pin, attempt, user, platform) or Device(user=user)
    device.status = Device.Status.IENROLL_VERIFIED
    device.enrollment_type = kind.value
    device.owner = policy.owner_of(said, kind, invitations.owner_for(user, kind) or trace.owner_of(attempt))
    device.managed_apple_account = user.managed_apple_account or ""
    device.family = state.family
    device.platform = platform
    # Hints from a message that anyone can write, so longer than the columns perhaps; Authenticate brings them again.
    device.product_name = state.product[:64]
    device.os_version = state.os_version[:32]
    device.language = state.language[:35]
    device.registered_at = timezone.now()
    device.save()
    return device


def _waiting_record(
    state: State, pin: RegistrationPin | None, attempt: Attempt | None, user: User, platform: str
) -> Device | None:
    if pin is not None:
        pending = Device.objects.filter(pin=pin, status=Device.Status.VERIFICATION_PENDING).first()
        if pending is not None:
            return pending
    if attempt is not None:
        # whoever asks for a code has got one before, also whose token is there already
        given: type[AccessToken | AuthorizationCode] = AuthorizationCode if state.oauth_state else AccessToken
        earlier = given.objects.filter(attempt=attempt, user=user, device__status__in=Device.PROVISIONAL)
        row = earlier.select_related("device").order_by("-pk").first()
        if row is not None:
            return row.device
    return registration.take_up(user, platform)
