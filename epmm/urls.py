from django.urls import include, path

from devices.services import figures as _devices  # noqa: F401 - these three register what `/metrics` tells
from enrollment.services import figures as _enrollment  # noqa: F401
from epmm import health
from epmm import work_figures as _work  # noqa: F401

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics_page, name="metrics"),
    path("", include("devices.urls")),
    path("", include("enrollment.urls")),
]
