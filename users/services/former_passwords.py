"""A new password is a new one: those before it are known by their hashes, as many as the settings say."""

from django.contrib.auth.hashers import check_password
from django.utils.translation import gettext as _

from epmm import options, settings_store
from users.errors import InvalidPerson
from users.models import FormerPassword, User


def refuse(user: User, password: str) -> None:
    """Raises InvalidPerson for the one that is there, and for those before."""
    remembered = settings_store.read(options.PASSWORD_HISTORY)
    if not remembered:
        return
    former = FormerPassword.objects.filter(user=user).order_by("-pk").values_list("hashed", flat=True)
    if any(check_password(password, hashed) for hashed in (user.password, *former[: remembered - 1])):
        raise InvalidPerson(_("The last {n} passwords cannot be used again.").format(n=remembered))


def keep(user: User) -> None:
    """The one that is about to go; not more of them than are looked at."""
    kept = settings_store.read(options.PASSWORD_HISTORY) - 1
    former = FormerPassword.objects.filter(user=user)
    if kept > 0 and user.has_usable_password():
        FormerPassword.objects.create(user=user, hashed=user.password)
    former.exclude(pk__in=list(former.order_by("-pk").values_list("pk", flat=True)[: max(kept, 0)])).delete()
