"""An invitation that people send to themselves, to have the steps on the device that they want to enroll."""

from django.utils.translation import get_language

from enrollment.services import invitation_texts, invitations, pin_requests
from epmm import mail
from epmm.mail import MailRefused
from users.models import Role, User
from users.services import limits


def is_offered(user: User, roles: frozenset[str]) -> bool:
    return Role.PORTAL_REGISTER in roles and bool(user.email) and mail.is_set_up()


def send(user: User, roles: frozenset[str], *, address: str | None) -> None:
    """In the language of the page, to the person's mail address.  Raises MailRefused, TooManyAttempts."""
    if not is_offered(user, roles):
        raise MailRefused
    pin_requests.spend(limits.INVITATIONS, user, address)
    language = get_language() or "en"
    draft = invitations.Draft(language=language, written=invitation_texts.without_pin(language))
    invitations.send([user], invitations.reminding(draft, user), actor=user.user_id)
