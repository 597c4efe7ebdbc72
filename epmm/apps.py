from django.apps import AppConfig


class EpmmConfig(AppConfig):
    name = "epmm"

    def ready(self) -> None:
        from epmm.celery import app

        app.set_default()
