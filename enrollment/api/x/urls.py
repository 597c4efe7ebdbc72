from django.urls import path

from enrollment.api.x import attempts, domains

urlpatterns = [
    path("x/enrollment_domains", domains.Domains.as_view(), name="x-enrollment-domains"),
    path("x/enrollment_domains/<str:domain>", domains.OneDomain.as_view(), name="x-enrollment-domains-one"),
    path("x/enrollment_domains/<str:domain>/test", domains.TestDomain.as_view(), name="x-enrollment-domains-test"),
    path("x/enrollment_attempts", attempts.Attempts.as_view(), name="x-enrollment-attempts"),
    path("x/enrollment_attempts/<int:number>", attempts.OneAttempt.as_view(), name="x-enrollment-attempts-one"),
]
