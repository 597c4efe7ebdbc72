from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users"

    def ready(self) -> None:
        from users.api import checks  # noqa: F401 - they register themselves, once the models are there
