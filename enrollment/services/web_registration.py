"""Web registration, `/go`: may this person enroll, and do they agree?  Then they are told what to type on the device.

No profile is handed out here (docs/decisions): the device fetches its own once its person has typed the address.
A PIN is looked at and stays as it is, for it is the device's sign-in that uses it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from django.core import signing

from devices.models import Enrollment
from enrollment.models import Attempt, PolicyText, Step
from enrollment.services import consent, discovery, policy, sign_in, trace
from enrollment.services.policy import Refused
from enrollment.services.sign_in import Entered, SignInExpired
from epmm import options, settings_store
from users.models import User
from users.services import people

SALT: Final = "enrollment.go"
SECONDS: Final = 3600
ASKED_FOR: Final = ("password", "pin", "password_and_pin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A person who has signed in here, and what they have accepted since."""

    user: int
    kind: str
    family: str = ""
    accepted: tuple[int, ...] = ()

    def seal(self) -> str:
        return signing.dumps(asdict(self), salt=SALT)

    @classmethod
    def unseal(cls, text: str) -> "Ticket":
        """Raises SignInExpired."""
        values = sign_in.unsealed(text, SALT, SECONDS)
        return cls(**{**values, "accepted": tuple(values["accepted"])})

    def person(self) -> User:
        """Raises SignInExpired for one who is gone, or was disabled meanwhile."""
        user = User.objects.enabled().filter(pk=self.user).first()
        if user is None:
            raise SignInExpired
        return user


def requirement() -> str:
    return str(settings_store.read(options.REQUIREMENT))


def begin(entered: Entered, *, family: str, address: str | None) -> Ticket:
    """Raises Refused."""
    domains = options.enrollment_domains()
    reference = trace.in_browser(people.without_own_domain(entered.name, domains), address)
    try:
        user, _pin = sign_in.checked_credentials(entered, used_for="", address=address)
    except Refused as refused:
        person = people.resolve(entered.name, domains)  # what else was typed may be a password
        note(refused, reference, identifier=person.user_id if person else "", family=family, address=address)
        raise
    trace.step(trace.find(reference), Step.CREDENTIALS)
    return allowed(user, family=family, address=address)


def note(
    refused: Refused, reference: str, *, identifier: str, family: str, address: str | None, where: str = "/go"
) -> None:
    """Of a sign-in with a browser that led nowhere, so that its code can be looked up."""
    attempt = trace.open_in_browser(reference, identifier=identifier, family=family, address=address)
    sign_in.record(attempt, refused, where=where)


def allowed(user: User, *, family: str, address: str | None) -> Ticket:
    """For who has signed in already.  A refusal leaves a trace, so that its code can be looked up.  Raises Refused."""
    try:
        kind = discovery.kind_of(user, family)
        policy.require(user, policy.Facts(kind=kind, family=family))
    except Refused as refused:
        _trace(user, refused, family, address)
        raise
    return Ticket(user=user.pk, kind=kind.value, family=family)


def next_text(ticket: Ticket, languages: Sequence[str]) -> PolicyText | None:
    """The text to show now; None when all are accepted."""
    due = consent.due(Enrollment.Kind(ticket.kind), languages, ticket.user)
    return next((text for text in due if text.pk not in ticket.accepted), None)


def accept(ticket: Ticket, text_id: str, *, address: str | None, languages: Sequence[str]) -> Ticket:
    """Another text than the one due changes nothing."""
    shown = next_text(ticket, languages)
    if shown is None or str(shown.pk) != text_id:
        return ticket
    consent.accept(ticket.person(), shown, attempt=None, address=trace.address_or_none(address))
    return replace(ticket, accepted=(*ticket.accepted, shown.pk))


def _trace(user: User, refused: Refused, family: str, address: str | None) -> None:
    reference = trace.in_browser(user.user_id.lower(), address)
    attempt = trace.open_known(reference, identifier=user.user_id, address=address)
    trace.move(attempt, Attempt.State.OPEN, user=user, model_family=family)
    trace.step(attempt, Step.WEB_REGISTRATION, result=trace.REFUSED, reason=refused.reason, **refused.details)
