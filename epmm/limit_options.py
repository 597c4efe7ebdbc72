"""The settings of how often somebody may try to sign in."""

from typing import Final

from django.utils.translation import gettext_lazy

from epmm.settings_store import number

FAILED_ATTEMPTS: Final = number(
    "security.failed_attempts",
    default=6,
    low=3,
    high=20,
    help=gettext_lazy("After how many failed sign-ins in a row a name is locked."),
)
FAILED_WINDOW: Final = number(
    "security.failed_window_minutes",
    default=1440,
    low=5,
    high=1440,
    help=gettext_lazy("After so many minutes without a failure the count begins anew."),
)
AUTO_LOCK_SECONDS: Final = number(
    "security.auto_lock_seconds",
    default=30,
    low=30,
    high=3600,
    help=gettext_lazy("Auto-Lock Time (seconds): how long the first lock lasts. Each further failure doubles it."),
)
ACCOUNT_ATTEMPTS: Final = number(
    "security.account_attempts",
    default=20,
    low=5,
    high=1000,
    help=gettext_lazy("How many sign-ins to one account may fail at once when strangers try, wherever they come from."),
)
ACCOUNT_ATTEMPTS_HOURLY: Final = number(
    "security.account_attempts_hourly",
    default=12,
    low=1,
    high=3600,
    help=gettext_lazy("How many of these come back in an hour, for each account."),
)
ADDRESS_ATTEMPTS: Final = number(
    "security.address_attempts",
    default=100,
    low=10,
    high=100_000,
    help=gettext_lazy("How many sign-ins from one address may fail at once, whatever the accounts. An office is one."),
)
ADDRESS_ATTEMPTS_HOURLY: Final = number(
    "security.address_attempts_hourly",
    default=600,
    low=10,
    high=36_000,
    help=gettext_lazy("How many of these come back in an hour, for each address."),
)
STRANGER_ATTEMPTS: Final = number(
    "security.stranger_attempts",
    default=600,
    low=50,
    high=100_000,
    help=gettext_lazy("How many sign-ins of all strangers together may fail at once."),
)
STRANGER_ATTEMPTS_HOURLY: Final = number(
    "security.stranger_attempts_hourly",
    default=7200,
    low=60,
    high=36_000,
    help=gettext_lazy("How many of these come back in an hour. Each takes a tenth of a second of a processor."),
)
KNOWN_BROWSER_DAYS: Final = number(
    "security.known_browser_days",
    default=365,
    low=1,
    high=400,  # browsers keep no cookie for longer
    help=gettext_lazy("How many days after a sign-in a browser is no stranger's for whoever signed in."),
)
KNOWN_NETWORK_DAYS: Final = number(
    "security.known_network_days",
    default=90,
    low=0,
    high=365,
    help=gettext_lazy("How many days after anybody's sign-in nobody from that address is a stranger; 0: never."),
)
KNOWN_NETWORKS: Final = number(
    "security.known_networks",
    default=20,
    low=1,
    high=100,
    help=gettext_lazy("How many addresses one person makes known: those of the last sign-ins."),
)
PIN_REQUESTS: Final = number(
    "security.pin_requests",
    default=5,
    low=1,
    high=50,
    help=gettext_lazy("How many PINs, and how many invitations, one person may ask for at once in the user portal."),
)
PIN_REQUESTS_HOURLY: Final = number(
    "security.pin_requests_hourly",
    default=6,
    low=1,
    high=60,
    help=gettext_lazy("How many of these come back in an hour, for each person."),
)
