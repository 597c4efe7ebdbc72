from typing import ClassVar

from epmm import gateway
from epmm.management.serving import Serving


class Command(Serving):
    help = "Run a device door behind a proxy: /mdm/ and /healthz, nothing else."
    application: ClassVar[str] = gateway.DEVICES
