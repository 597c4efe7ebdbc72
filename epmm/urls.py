from django.urls import include, path
from django.views.generic import RedirectView

from devices.api.urls import urlpatterns as devices_api
from devices.api.v1_urls import urlpatterns as devices_v1
from devices.api.x.urls import urlpatterns as devices_x
from devices.portal_urls import urlpatterns as devices_portal
from devices.self_urls import urlpatterns as devices_self
from devices.services import figures as _devices  # noqa: F401 - these three register what `/metrics` tells
from enrollment.api.v1_urls import urlpatterns as enrollment_v1
from enrollment.api.x.urls import urlpatterns as enrollment_x
from enrollment.portal_urls import urlpatterns as enrollment_portal
from enrollment.self_urls import urlpatterns as enrollment_self
from enrollment.services import figures as _enrollment  # noqa: F401
from epmm import health
from epmm import work_figures as _work  # noqa: F401
from epmm.too_large import too_large
from users.api.urls import last as api_last
from users.api.urls import urlpatterns as users_api
from users.api.v1_urls import last as v1_last
from users.api.v1_urls import urlpatterns as users_v1
from users.api.x.urls import last as x_last
from users.api.x.urls import urlpatterns as users_x
from users.portal_urls import urlpatterns as users_portal
from users.self_urls import urlpatterns as users_self

own_api = [*users_x, *devices_x, *enrollment_x]
handler500 = "epmm.failover.server_error"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("too-large", too_large, name="too-large"),
    path("metrics", health.metrics_page, name="metrics"),
    path("admin", RedirectView.as_view(url="/admin/"), name="admin"),
    path("admin/", include(([*users_portal, *devices_portal, *enrollment_portal], "portal"))),
    path("api/v2/", include(([*users_api, *devices_api, *own_api, *x_last, *api_last], "api"))),
    path("api/v1/", include(([*users_v1, *devices_v1, *enrollment_v1, *v1_last], "api"), namespace="api-v1")),
    path("status/status.html", health.status_page, name="status"),
    path("", include(([*users_self, *devices_self, *enrollment_self], "self"))),
    path("", include("devices.urls")),
    path("", include("enrollment.urls")),
]
