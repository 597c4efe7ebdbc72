from typing import ClassVar

from epmm import gateway
from epmm.management.serving import Serving


class Command(Serving):
    help = "Run a front door behind a proxy: everything but /mdm/."
    application: ClassVar[str] = gateway.FRONT
