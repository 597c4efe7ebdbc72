from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices.search import trigrams

        post_migrate.connect(trigrams.keep, sender=self)
