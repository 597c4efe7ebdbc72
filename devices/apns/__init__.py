"""The push client, the only code that talks to APNs: one TLS connection, many pushes at once."""

from devices.apns.client import ApnsClient, Server
from devices.apns.connection import Limits
from devices.apns.identity import PushIdentity, UnusableIdentity
from devices.apns.threaded import PushThread, push, shut_down

__all__ = [
    "ApnsClient",
    "Limits",
    "PushIdentity",
    "PushThread",
    "Server",
    "UnusableIdentity",
    "push",
    "shut_down",
]
