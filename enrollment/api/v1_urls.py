from django.urls import path

from enrollment.api import v1

urlpatterns = [path("dm/register", v1.Register.as_view(), name="v1-register")]
