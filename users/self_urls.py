"""Pages of the user portal about the person; who may open them stands in `users/self_permissions.py`."""

from django.urls import path

from users.views import self_account

urlpatterns = [
    path("my/sign-in", self_account.sign_in, name="sign-in"),
    path("my/sign-in/code", self_account.code, name="sign-in-code"),
    path("my/sign-in/password", self_account.first_password, name="sign-in-password"),
    path("my/sign-out", self_account.sign_out, name="sign-out"),
    path("my/password", self_account.password, name="password"),
]
