from django.apps import AppConfig
from django.core.checks import register


class EpmmConfig(AppConfig):
    name = "epmm"

    def ready(self) -> None:
        # these read the settings, which are not ready when this module is imported
        from epmm import (
            failover,
            limit_options,  # noqa: F401 - the settings register themselves
            mail_options,  # noqa: F401
            options,  # noqa: F401
        )
        from epmm.checks import INSTALLATION, installation

        failover.watch()
        register(installation, INSTALLATION)
