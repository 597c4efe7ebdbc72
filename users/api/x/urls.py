from django.urls import path, re_path

from users.api.permissions import UNKNOWN
from users.api.x import openapi, users
from users.api.x.base import XUnknown

urlpatterns = [
    path("x/openapi.json", openapi.Document.as_view(), name="x-openapi"),
    path("x/users", users.Users.as_view(), name="x-users"),
    path("x/users/<uuid:uuid>", users.OneUser.as_view(), name="x-users-one"),
    path("x/users/<uuid:uuid>/enable", users.Enable.as_view(), name="x-users-enable"),
    path("x/users/<uuid:uuid>/disable", users.Disable.as_view(), name="x-users-disable"),
]
# after those of all other apps
last = [re_path(r"^x(?:/.*)?\Z", XUnknown.as_view(), name=UNKNOWN)]
