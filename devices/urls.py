from django.urls import re_path

from devices.views import declared_profile

urlpatterns = [
    re_path(
        r"^declarations/profile/(?P<channel>[0-9]{1,18})/(?P<sha256>[0-9a-f]{64})/(?P<mac>[0-9a-f]{64})$",
        declared_profile.download,
        name="declared-profile",
    ),
]
