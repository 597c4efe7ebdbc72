"""Pages of the user portal before and around an enrollment."""

from django.urls import path

from enrollment.views import go, home, how_to, self_invitation, self_pin, self_provider, self_texts

urlpatterns = [
    path("", home.home, name="home"),
    path("go", go.go, name="go"),
    path("help/enroll", how_to.enroll, name="help"),
    path("help/enroll/<slug:slug>", how_to.enroll, name="help-family"),
    path("help/privacy", how_to.privacy, name="privacy"),
    path("my/sign-in/provider/<int:number>", self_provider.depart, name="sign-in-provider"),
    path("my/sign-in/provider/<int:number>/callback", self_provider.callback, name="sign-in-provider-callback"),
    path("my/confirm", self_provider.confirm, name="confirm"),
    path("my/texts", self_texts.changed, name="texts"),
    path("my/pin", self_pin.pin, name="pin"),
    path("my/invitation", self_invitation.send, name="invitation"),
]
