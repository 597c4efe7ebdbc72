"""A person who may enroll, and the front door as a device and its web sheet use it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from epmm import settings_store
from tests.enrollment.phone import Phone, new_phone
from tests.recorded import VECTORS
from users.models import Role, User
from users.services import people

PASSWORD = "correct horse battery"
MACHINE_INFO = (VECTORS / "examples/machineinfo-device-enrollment.plist").read_bytes()
BYOD_MACHINE_INFO = (VECTORS / "examples/machineinfo-user-enrollment.plist").read_bytes()
Switch = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What a process remembers belongs to the test before."""
    settings_store.clear_cache()
    with translation.override("en"):
        yield
    settings_store.clear_cache()


@pytest.fixture
def switch(db: None) -> Switch:
    def change(name: str, value: str) -> None:
        settings_store.change(name, value, actor="test")

    return change


@pytest.fixture
def adde(switch: Switch) -> None:
    switch("ios.mdm.account_driven_device_enrollment", "on")


def make_person(user_id: str = "anna", *, roles: tuple[str, ...] = (Role.ADDE,), **changes: Any) -> User:
    values: dict[str, Any] = {"managed_apple_account": f"{user_id}@mdm.example.test", "password": PASSWORD}
    return people.create(people.NewPerson(user_id=user_id, roles=roles, **{**values, **changes}), actor="test")


@pytest.fixture
def anna(db: None) -> User:
    return make_person()


class Sheet:
    """A device's requests to the front door and the web sheet between them, over Django's test client."""

    def __init__(self, client: Client, identifier: str = "anna@mdm.example.test", family: str = "iPhone") -> None:
        self.client, self.identifier, self.family = client, identifier, family
        self.body = MACHINE_INFO
        self.base = ""
        self.url = ""
        self.token = ""

    def discover(self) -> Any:
        query = f"user-identifier={self.identifier}&model-family={self.family}"
        answer = self.client.get(f"/.well-known/com.apple.remotemanagement?{query}")
        if answer.status_code == 200:
            self.base = self.path(answer.json()["Servers"][0]["BaseURL"])
        return answer

    def post(self, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.client.post(
            self.base or "/enroll/adde", self.body, content_type="application/pkcs7-signature", headers=headers
        )
        if answer.status_code == 401:
            self.url = self.path(re.findall(r'url="([^"]+)"', answer["WWW-Authenticate"])[0])
        return answer

    def open_page(self) -> Any:
        answer = self.client.get(self.url, {"user-identifier": self.identifier})
        self._read_form(answer)
        return answer

    def submit(self, **fields: str) -> Any:
        answer = self.client.post(self.action, {**self.hidden, **fields})
        if answer.status_code == 308:
            self.token = answer["Location"].rpartition("=")[2]
        else:
            self._read_form(answer)
        return answer

    def sign_in(self, user_id: str = "anna", password: str = PASSWORD) -> Any:
        self.open_page()
        return self.submit(user_id=user_id, password=password)

    def until_token(self) -> str:
        self.discover()
        self.post()
        assert self.sign_in().status_code == 308
        return self.token

    def _read_form(self, answer: Any) -> None:
        page = answer.content.decode()
        self.action = next(iter(re.findall(r'<form method="post" action="([^"]+)"', page)), "")
        self.hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))

    @staticmethod
    def path(url: str) -> str:
        assert url.startswith("https://mdm.example.test:8443/")
        return url.removeprefix("https://mdm.example.test:8443")


@pytest.fixture
def sheet(client: Client, anna: User, adde: None) -> Sheet:
    return Sheet(client)


@pytest.fixture
def phone(anna: User, adde: None) -> Phone:
    return new_phone(anna)
