import pytest

from epmm import options, settings_store
from epmm.settings_store import REGISTRY, InvalidSetting

ACCEPTED = [
    ("ios.mdm.account_driven_device_enrollment", "on", True),
    ("registration.requirement", "password_and_pin", "password_and_pin"),
    ("registration.pin_length", "12", 12),
    ("registration.pin_expiry_hours", "4320", 4320),
    ("registration.device_limit", "none", None),
    ("registration.device_limit", "None", None),
    ("registration.device_limit", "1", 1),
    ("registration.device_limit", "50", 50),
    ("registration.allowed_families", "Mac, iPad", ("Mac", "iPad")),
    ("registration.minimum_os", "none", ()),
    ("registration.minimum_os", "", ()),
    ("registration.minimum_os", "iOS=17, macOS=14.2.1,visionOS=2.0", ("iOS=17", "macOS=14.2.1", "visionOS=2.0")),
    ("registration.terms", "Be kind.", "Be kind."),
    ("enrollment.domains", "", ()),
    ("enrollment.domains", " Example.com,corp.example.com ,", ("example.com", "corp.example.com")),
    ("enrollment.domains", "xn--bcher-kva.example", ("xn--bcher-kva.example",)),
    ("enrollment.domain_offers", " Example.com=adde/Mac, a.b=aaue/iPhone", ("example.com=adde/Mac", "a.b=aaue/iPhone")),
    ("enrollment.domain_offers", "", ()),
    ("general.enterprise_name", "x" * 65, "x" * 64),
    ("general.enterprise_name", "Corp\r\n  Ltd", "Corp Ltd"),
    ("general.enterprise_name", "", "EPMM"),
]
REFUSED = [
    ("ios.mdm.account_driven_device_enrollment", "yes"),
    ("ios.mdm.machine_info_signature", "on"),
    ("registration.requirement", "nothing"),
    ("registration.pin_length", "5"),
    ("registration.pin_length", "13"),
    ("registration.pin_expiry_hours", "0"),
    ("registration.pin_expiry_hours", "4321"),
    ("registration.device_limit", "0"),
    ("registration.device_limit", "51"),
    ("registration.device_limit", "٣"),
    ("registration.device_limit", "9" * 5000),
    ("registration.allowed_families", ""),
    ("registration.allowed_families", "iPhone,Watch"),
    ("registration.minimum_os", "17"),
    ("registration.minimum_os", "watchOS=10"),
    ("registration.minimum_os", "iOS=17.0.0.0"),
    ("registration.minimum_os", "iOS=\uff11\uff17"),
    ("enrollment.domain_offers", "adde/Mac"),
    ("enrollment.domain_offers", "=adde/Mac"),
    ("enrollment.domain_offers", "example.com=adde"),
    ("enrollment.domain_offers", "example.com=adde/Watch"),
    ("enrollment.domain_offers", "example.com=mdm-adde/Mac"),
    ("enrollment.domains", "localhost"),
    ("enrollment.domains", "example.com;corp.example.com"),
    ("enrollment.domains", "-example.com"),
    ("enrollment.domains", "exa_mple.com"),
    ("enrollment.domains", "example.com."),
    ("enrollment.domains", "192.0.2.1"),
    ("enrollment.domains", f"{'a' * 64}.example"),
    ("enrollment.domains", ".".join(["a" * 60] * 5)),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "text", "value"), ACCEPTED)
def test_what_an_administrator_may_set(name: str, text: str, value: object) -> None:
    settings_store.change(name, text, actor="root")

    assert settings_store.read(REGISTRY[name]) == value


@pytest.mark.parametrize(("name", "text"), REFUSED)
def test_what_an_administrator_may_not_set(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        REGISTRY[name].parse(text)

    assert str(refusal.value)[:20] == str(REGISTRY[name].accepts)[:20]


@pytest.mark.django_db
def test_what_is_shown_can_be_set_again() -> None:
    for name, setting in REGISTRY.items():
        settings_store.change(name, settings_store.shown(setting), actor="root")

        assert settings_store.read(setting) == setting.default


@pytest.mark.django_db
def test_first_values_are_the_careful_ones() -> None:
    assert settings_store.read(options.ADDE) is False
    assert settings_store.read(options.AAUE) is False
    assert settings_store.read(options.REQUIREMENT) == "password"
    assert settings_store.read(options.LEGACY_CIPHERS) is False
    assert settings_store.read(options.ALLOW_TAKEOVER) is False


@pytest.mark.django_db
def test_the_public_host_is_the_enrollment_domain_until_one_is_set() -> None:
    assert options.enrollment_domains() == ("mdm.example.test",)

    settings_store.change("enrollment.domains", "one.example,two.example", actor="root")

    assert options.enrollment_domains() == ("one.example", "two.example")
