from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from enrollment.views import discovery, enroll, invited, oauth, provider, scep, sign_in

# Nothing here rests on a cookie: devices bring a token or a signed message, and each form carries its own signed proof.
urlpatterns = [
    path(".well-known/com.apple.remotemanagement", discovery.well_known, name="well-known"),
    path("enroll/sign-in/<str:sealed>", csrf_exempt(sign_in.page), name="sign-in"),
    path("enroll/oauth2/authorize/<str:sealed>", oauth.authorize, name="oauth-authorize"),
    path("enroll/oauth2/token", csrf_exempt(oauth.token), name="oauth-token"),
    path("enroll/provider/<int:number>/callback", provider.callback, name="provider-callback"),
    path("enroll/provider/<int:number>/<str:sealed>", provider.depart, name="sign-in-at-provider"),
    re_path(r"^enroll/(?P<kind>adde|aaue)/?$", csrf_exempt(enroll.enroll), name="enroll-anyone"),
    re_path(
        r"^enroll/(?P<kind>adde|aaue)/(?P<reference>[A-Za-z0-9_-]{16,32})$", csrf_exempt(enroll.enroll), name="enroll"
    ),
    re_path(r"^i/(?P<token>[A-Za-z0-9_-]{16,32})$", invited.come, name="invited"),
    path("scep", csrf_exempt(scep.responder), name="scep"),
]
