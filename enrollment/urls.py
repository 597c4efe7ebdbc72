from django.urls import path, re_path

from enrollment.views import discovery, enroll, home, scep, sign_in

urlpatterns = [
    path("", home.home, name="home"),
    path(".well-known/com.apple.remotemanagement", discovery.well_known, name="well-known"),
    path("enroll/sign-in/<str:sealed>", sign_in.page, name="sign-in"),
    re_path(r"^enroll/(?P<kind>adde|aaue)/?$", enroll.enroll, name="enroll-anyone"),
    re_path(r"^enroll/(?P<kind>adde|aaue)/(?P<reference>[A-Za-z0-9_-]{16,32})$", enroll.enroll, name="enroll"),
    path("scep", scep.responder, name="scep"),
]
