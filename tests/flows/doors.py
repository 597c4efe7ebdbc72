"""Where people sign in, as a browser comes to it."""

from typing import Final

from django.http import HttpResponse
from django.test import Client

from enrollment.services import trace
from enrollment.services.sign_in import State

ENROLLMENT: Final = "/enroll/sign-in/"


def browser(address: str = "192.0.2.7") -> Client:
    client = Client(headers={"host": "localhost", "accept": "text/html"}, REMOTE_ADDR=address)
    client.defaults["wsgi.url_scheme"] = "https"
    return client


def address_of(door: str) -> str:
    """The enrollment's is made for the device that comes there."""
    if door != ENROLLMENT:
        return door
    attempt = trace.open_attempt(address="192.0.2.7", identifier="somebody@mdm.example.test")
    assert attempt is not None
    return ENROLLMENT + State(reference=attempt.reference, base_reference="", kind="adde").seal()


def post(
    door: str, name: str, password: str = "wrong", pin: str = "000000", *, by: Client | None = None
) -> HttpResponse:
    given = {"user_id": name, "password": password, "pin": pin}
    address = address_of(door) if door == ENROLLMENT else door
    answer: HttpResponse = (by or browser()).post(address, given)  # type: ignore[assignment] # nothing streams
    return answer
