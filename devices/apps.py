from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices import events  # noqa: F401 - what may be told declares itself
        from devices.search import trigrams

        post_migrate.connect(trigrams.keep, sender=self)
