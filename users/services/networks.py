"""Where people sign in from.  A network that anybody of ours came from is known for all names alike, those that nobody
has among them: so it tells no stranger who exists."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from epmm.client_address import UNKNOWN, network
from users.models import KnownNetwork, User

KNOWN_FOR: Final = timedelta(days=90)
RENEWED_AFTER: Final = timedelta(days=1)  # a row an hour for a row a sign-in
OF_ONE: Final = 20  # that one person makes known: nobody vouches for all the world


def is_known(address: str | None) -> bool:
    since = timezone.now() - KNOWN_FOR
    return KnownNetwork.objects.filter(network=network(address), last_at__gt=since).exists()


def note(user: User, address: str | None) -> None:
    """This person has signed in from there."""
    now, here = timezone.now(), network(address)
    if here == UNKNOWN or KnownNetwork.objects.filter(network=here, last_at__gt=now - RENEWED_AFTER).exists():
        return
    KnownNetwork.objects.update_or_create(network=here, defaults={"user": user, "last_at": now})
    kept = KnownNetwork.objects.filter(user=user).order_by("-last_at", "-pk").values_list("pk", flat=True)[:OF_ONE]
    KnownNetwork.objects.filter(user=user).exclude(pk__in=list(kept)).delete()


def forget(now: datetime) -> None:
    KnownNetwork.objects.filter(last_at__lt=now - KNOWN_FOR).delete()
