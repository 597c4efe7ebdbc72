from django.urls import path, re_path

from users.api import views
from users.api.base import Unknown
from users.api.permissions import UNKNOWN

urlpatterns = [
    path("ping", views.Ping.as_view(), name="ping"),
]
# after those of all other apps
last = [re_path(r"^.*\Z", Unknown.as_view(), name=UNKNOWN)]
