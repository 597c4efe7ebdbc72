"""Client of EPMM, an open device management server.

with Client(Server(address="https://mdm.example.com", token="epmm_…")) as client:
    for device in client.devices.search('"common.os_version" < "18"'):
        print(device["common.SerialNumber"])
"""

from epmm_client.client import Client
from epmm_client.connection import Connection, Server
from epmm_client.errors import Ambiguous, EpmmError, NotConfigured, Refused, Unreachable

__all__ = ["Ambiguous", "Client", "Connection", "EpmmError", "NotConfigured", "Refused", "Server", "Unreachable"]
