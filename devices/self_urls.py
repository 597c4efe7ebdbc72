"""Pages of the user portal about the person's devices."""

from django.urls import path

from devices.services.self_actions import OWN
from devices.views import self_devices

urlpatterns = [
    path("my/devices/<uuid:uuid>", self_devices.details, name="device"),
    *[
        path(
            f"my/devices/<uuid:uuid>/{own.action.key}",
            self_devices.action_page(own.action.key),
            name=f"device-{own.action.key}",
        )
        for own in OWN
    ],
]
