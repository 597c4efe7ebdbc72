from django.urls import path, re_path

from users.api import v1
from users.api.permissions import UNKNOWN

urlpatterns = [path("sm/users/<path:name>", v1.OneUser.as_view(), name="v1-users-one")]
last = [re_path(r"^[\s\S]*\Z", v1.V1Unknown.as_view(), name=UNKNOWN)]
