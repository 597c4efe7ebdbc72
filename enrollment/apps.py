from django.apps import AppConfig


class EnrollmentConfig(AppConfig):
    name = "enrollment"

    def ready(self) -> None:
        # models are there only now
        from devices.services.configuration_delivery import Signing
        from enrollment import events  # noqa: F401 - what may be told declares itself
        from enrollment.services import invitations, profiles
        from users.services import people_actions

        Signing.sign = profiles.sign
        people_actions.register(invitations.INVITE)
