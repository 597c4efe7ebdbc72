"""What people and administrators are told, each in one plain sentence (portal specification, section 17)."""

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class PeopleError(Exception):
    """`str(error)` is the sentence."""

    sentence: ClassVar[str | Promise] = ""

    def __str__(self) -> str:
        return super().__str__() or str(self.sentence)


class UnknownPerson(PeopleError):
    """An administrator named nobody we know.  People who sign in are never told this."""

    def __init__(self, user_id: str) -> None:
        super().__init__(_("There is no user {user_id}.").format(user_id=user_id))


class InvalidPerson(PeopleError):
    """These data cannot be saved."""

    sentence = gettext_lazy("This could not be saved, since something else changed at the same moment. Try again.")


class SamePassword(InvalidPerson):
    sentence = gettext_lazy("This is the password that you were given. Choose another one.")


class InvalidAccount(InvalidPerson):
    """The Managed Apple Account cannot be saved."""


class ForeignAccount(InvalidAccount):
    """It belongs to no enrollment domain of this server."""


class InvalidGrant(InvalidPerson):
    """The roles cannot be changed like this."""


class InvalidToken(InvalidPerson):
    """Such an access token is not made."""


class DirectoryError(PeopleError):
    """A directory could not be asked."""


class NoLdap(DirectoryError):
    sentence = gettext_lazy(
        "LDAP is not installed on this server. Install gcc, python3-dev, libldap2-dev and libsasl2-dev,"
        " then start it again."
    )


class DirectoryDown(DirectoryError):
    """None of its servers answers; that passes."""


class DirectoryRefused(DirectoryError):
    """It answers, and says no; somebody has to change something."""


class SignInRefused(PeopleError):
    """The person is not let in."""

    named: str = ""  # whom an identity provider has named, for the trace


class WrongCredentials(SignInRefused):
    """One sentence for an unknown name, a wrong password and a wrong PIN: none tells who exists."""

    sentence = gettext_lazy("The user ID, password or PIN is not right.")


class PinWrong(WrongCredentials):
    """Not the PIN that was issued last; perhaps none was."""


class PinUsed(WrongCredentials):
    """The right PIN, but another sign-in has used it."""


class PinExpired(SignInRefused):
    """Told only to someone for whom all else was right."""

    sentence = gettext_lazy("This PIN has expired. Ask for a new one.")


class TooManyAttempts(SignInRefused):
    def __init__(self, seconds: int, *, limit: str = "", is_news: bool = False) -> None:
        super().__init__(_("Too many attempts. Try again in {n} seconds.").format(n=seconds))
        self.seconds = seconds
        self.limit = limit  # which one, for the audit and the trace: nobody who tries is told
        self.is_news = is_news  # nothing was audited of it for a while


class DirectoryUnavailable(SignInRefused):
    """Said to all whose password was not right here, whoever they are, while a directory cannot be asked."""

    sentence = gettext_lazy("Your organization's directory cannot be reached just now. Try again in a few minutes.")


class AccountDisabled(SignInRefused):
    sentence = gettext_lazy("Your account is switched off. Ask your administrator.")


class PasswordMustChange(SignInRefused):
    sentence = gettext_lazy("Choose a new password in the portal first, then try again.")


class SecondFactorNeeded(SignInRefused):
    """The right password of somebody who is asked for more than that; the API has no place to type a code."""

    sentence = gettext_lazy("Your account has a second factor. Call the API with an access token instead.")


class NoAdministrator(SignInRefused):
    """The right password, and no role of the portal."""

    sentence = gettext_lazy("Your account may not use the Admin Portal. An administrator can give it a role there.")


class NoUserPortal(SignInRefused):
    """The right password, without the role."""

    sentence = gettext_lazy("Your account may not use the user portal. Ask your administrator.")


class WrongCode(SignInRefused):
    sentence = gettext_lazy("This code is not right. Wait for the next one, or use one of your backup codes.")


class ProviderRefused(SignInRefused):
    """A sign-in at an identity provider that led nowhere.  The argument is for the log and the trace."""

    def __init__(self, why: str = "") -> None:
        super().__init__()
        self.why = why


class ProviderDown(ProviderRefused):
    sentence = gettext_lazy(
        "The sign-in service of your organization cannot be reached at the moment. Try again in a few minutes."
    )


class ProviderDoubted(ProviderRefused):
    sentence = gettext_lazy("The answer of your organization's sign-in service could not be trusted. Start again.")


class ProviderSaidNo(ProviderRefused):
    sentence = gettext_lazy("Your organization's sign-in service did not let you in, or you cancelled.")


class SignInStale(ProviderRefused):
    sentence = gettext_lazy("This sign-in is no longer valid. Start again.")


class NotKnownHere(ProviderRefused):
    sentence = gettext_lazy("Your account is not known here. Ask your administrator.")


class NotInGroup(ProviderRefused):
    sentence = gettext_lazy("Your account is in none of the groups that may sign in here. Ask your administrator.")


class IdempotencyError(PeopleError):
    """A call with a key is not carried out."""


class CallUnderWay(IdempotencyError):
    sentence = gettext_lazy("A call with this Idempotency-Key is being carried out. Ask again in a moment.")


class KeyOfAnotherCall(IdempotencyError):
    sentence = gettext_lazy("Another call was made with this Idempotency-Key. Choose another key.")
