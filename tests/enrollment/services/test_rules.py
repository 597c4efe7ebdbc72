"""What groups allow their people, and that everything that asks gets one answer."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Enrollment
from enrollment import reasons
from enrollment.models import Attempt, LocalText, PolicyText, Rule
from enrollment.services import consent, discovery, doctor, local_texts, outlook, policy, rules, ruling
from enrollment.services.findings import Verdict
from enrollment.services.local_texts import TextRefused
from enrollment.services.policy import Facts, Refused
from enrollment.services.ruling import RuleRefused, Written
from epmm.models import AuditEntry
from tests.enrollment.conftest import Sheet, Switch, make_person
from users.models import Directory, Group, IdentityProvider, Membership, Role, User

pytestmark = pytest.mark.django_db
ADDE, AAUE = Enrollment.Kind.ADDE, Enrollment.Kind.AAUE


def group(name: str, *people: User) -> Group:
    directory, _is_new = Directory.objects.get_or_create(name="Corp")
    made = Group.objects.create(directory=directory, external_id=name, name=name)
    Membership.objects.bulk_create([Membership(group=made, user=user) for user in people])
    return made


def rule(of: Group | None, **says: Any) -> Rule:
    return ruling.save(Written(group=of, **says), actor="root")


def refusal(user: User, **facts: Any) -> tuple[str, object]:
    with pytest.raises(Refused) as refused:
        policy.require(user, Facts(**{"kind": ADDE, "family": "iPad", **facts}))
    return refused.value.reason.code, refused.value.values.get("rule")


def own_devices(user: User, number: int) -> None:
    for n in range(number):
        Device.objects.create(user=user, udid=f"U{user.pk}-{n}", status=Device.Status.ACTIVE, mdm_managed=True)


@pytest.mark.parametrize(
    ("says", "facts", "reason"),
    [
        ({"kinds": ["aaue"]}, {}, reasons.KIND_REFUSED),
        ({"families": ["Mac"]}, {}, reasons.FAMILY_REFUSED),
        ({"device_limit": 0}, {}, reasons.DEVICE_LIMIT),
        ({"minimum_os": {"iPad": "18.1"}}, {"os_version": "18.0.9"}, reasons.SYSTEM_TOO_OLD),
    ],
)
def test_a_rule_refuses_its_people_and_nobody_else(
    anna: User, adde: None, says: dict[str, Any], facts: dict[str, str], reason: reasons.Reason
) -> None:
    ben = make_person("ben")
    rule(group("Sales", anna), **says)

    assert refusal(anna, **facts) == (reason.code, "Sales (Corp)")
    policy.require(ben, Facts(kind=ADDE, family="iPad", **facts))


def test_a_rule_may_allow_what_the_settings_do_not(anna: User, adde: None, switch: Switch) -> None:
    for name, value in (("allowed_families", "Mac"), ("minimum_os", "iOS=19.0"), ("device_limit", "1")):
        switch(f"registration.{name}", value)
    own_devices(anna, 1)
    assert refusal(anna, udid="NEW") == (reasons.DEVICE_LIMIT.code, "Settings")
    rule(group("Sales", anna), device_limit=2, families=["iPad"], minimum_os={"iPad": "17"})

    policy.require(anna, Facts(kind=ADDE, family="iPad", os_version="17.0", udid="NEW"))


def test_of_each_subject_the_first_rule_speaks_that_says_something(anna: User) -> None:
    first = rule(group("First", anna), owner="EMPLOYEE")
    second = rule(group("Second", anna), owner="COMPANY", families=["Mac"])
    rule(group("Others"), families=["iPhone"])

    said = rules.of(anna.pk)
    assert (said.owner().value, said.owner().rule, said.owner().others) == ("EMPLOYEE", first, (second,))
    assert (said.families().value, said.families().rule) == (("Mac",), second)
    assert policy.owner_of(rules.of(anna.pk), ADDE) == Device.Owner.EMPLOYEE

    ruling.move(second, is_up=True, actor="root")
    assert rules.of(anna.pk).owner().rule == second


@pytest.mark.parametrize(
    ("several", "precedence", "general", "limit", "origin"),
    [
        ("highest", "group", "none", 5, "Second (Corp)"),
        ("first", "group", "none", 2, "First (Corp)"),
        ("highest", "group", "9", 5, "Second (Corp)"),
        ("highest", "person", "9", 9, "Settings"),
        ("first", "person", "none", 2, "First (Corp)"),
    ],
)
def test_which_of_several_limits_counts(
    anna: User, switch: Switch, several: str, precedence: str, general: str, limit: int, origin: str
) -> None:
    switch("registration.several_limits", several)
    switch("registration.limit_precedence", precedence)
    switch("registration.device_limit", general)
    rule(group("First", anna), device_limit=2)
    rule(group("Second", anna), device_limit=5)

    said = rules.of(anna.pk).limit()
    assert (said.value, said.origin) == (limit, origin)


def test_local_people_have_a_rule_of_their_own(anna: User, adde: None) -> None:
    ben = make_person("ben")
    User.objects.filter(pk=ben.pk).update(source=User.Source.LDAP)
    rule(None, families=["Mac"])

    assert refusal(anna) == (reasons.FAMILY_REFUSED.code, "Local people")
    policy.require(ben, Facts(kind=ADDE, family="iPad"))
    with pytest.raises(RuleRefused):
        rule(None, families=["iPad"])


def test_a_sign_in_is_refused_with_the_rule_in_its_trace_and_the_preview_says_the_same(sheet: Sheet) -> None:
    anna = User.objects.get(user_id="anna")
    rule(group("Sales", anna), families=["Mac"])
    sheet.discover()
    sheet.post()

    page = sheet.sign_in()

    assert reasons.FAMILY_REFUSED.code in page.content.decode()
    step = Attempt.objects.get().steps.latest("pk")
    assert (step.code, step.details["rule"]) == (reasons.FAMILY_REFUSED.code, "Sales (Corp)")
    ahead = outlook.look(anna, family="iPhone")
    assert ahead.refusal is not None
    assert (ahead.refusal.reason, ahead.refusal.details) == (reasons.FAMILY_REFUSED, {"rule": "Sales (Corp)"})
    assert outlook.look(anna, family="Mac").refusal is None
    told = [finding.sentence for finding in doctor.person("anna")]
    assert "Kinds of device: Mac, of Sales (Corp)" in told


@pytest.mark.parametrize(
    ("typed", "offers", "reason", "whose"),
    [
        ("school.example", "school.example=aaue/iPhone", reasons.KIND_REFUSED, "school.example"),
        ("school.example", "mdm.example.test=aaue/iPhone", reasons.KIND_REFUSED, "mdm.example.test"),
        ("mdm.example.test", "mdm.example.test=adde/Mac", reasons.FAMILY_REFUSED, "mdm.example.test"),
    ],
)
def test_who_comes_past_discovery_is_held_to_what_the_domains_offer(
    sheet: Sheet, switch: Switch, typed: str, offers: str, reason: reasons.Reason, whose: str
) -> None:
    """As by a static file, which leads every device of its domain to the same kind."""
    switch("ios.mdm.account_driven_user_enrollment", "on")
    switch("enrollment.domains", "mdm.example.test,school.example")
    switch("enrollment.domain_offers", offers)
    sheet.identifier = f"anna@{typed}"
    sheet.post()

    page = sheet.sign_in()

    assert reason.code in page.content.decode()
    step = Attempt.objects.get().steps.latest("pk")
    assert (step.code, step.details["rule"]) == (reason.code, whose)
    stops = [finding.sentence for finding in doctor.person(sheet.identifier) if finding.verdict is Verdict.STOPS]
    is_for_any_device = reason == reasons.KIND_REFUSED  # `doctor` is told no other
    assert stops == [f"{reason.code} {reason.operator} ({whose})"] * is_for_any_device
    switch("enrollment.domain_offers", offers.replace("aaue", "adde").replace("Mac", "iPhone"))
    sheet.post()
    assert sheet.sign_in().status_code == 308


def test_the_preview_meets_what_the_sign_in_would(anna: User, switch: Switch) -> None:
    def code() -> str | None:
        found = outlook.look(anna, family="iPad").refusal
        return found.reason.code if found else None

    assert code() == reasons.NOT_OFFERED.code
    switch("ios.mdm.account_driven_device_enrollment", "on")
    assert code() is None
    switch("enrollment.domain_offers", "mdm.example.test=adde/Mac")
    assert code() == reasons.NOT_OFFERED.code
    switch("enrollment.domain_offers", "")
    anna.must_change_password = True
    assert code() == reasons.PASSWORD_MUST_CHANGE.code


def test_the_terms_of_a_rule_take_the_place_of_all_others(anna: User, switch: Switch) -> None:
    ben = make_person("ben")
    rule(group("Sales", anna), terms="Sell **well**.")

    assert [text.text for text in consent.due(ADDE, ["de"], anna.pk)] == ["Sell **well**."]
    assert consent.due(ADDE, ["de"], ben.pk) == []
    assert [consent.is_asked(user.pk) for user in (anna, ben)] == [True, False]
    switch("registration.terms", "on")
    assert [text.text for text in consent.due(ADDE, ["de"], anna.pk)] == ["Sell **well**."]
    assert consent.due(ADDE, ["de"], ben.pk)[0].text != "Sell **well**."


def test_terms_that_rules_name_are_read_in_each_persons_language(anna: User, switch: Switch) -> None:
    """By several groups; those without a name are for everybody else."""
    ben, cleo = make_person("ben"), make_person("cleo")
    for name, tag in (("Staff", "de"), ("Staff", "de-AT"), ("Staff", "fr"), ("", "de")):
        language, _dash, country = tag.partition("-")
        written = {"language": language, "country": country, "content": f"{name or 'All'} {tag}", "notice_email": ""}
        local_texts.save(local_texts.Written(kind=PolicyText.Kind.TERMS, name=name, **written), actor="root")
    switch("registration.terms", "on")
    rule(group("Sales", anna), terms_name="Staff")
    rule(group("Board", ben), terms_name="Staff", terms="For all others")

    def read(user: User, *languages: str) -> str:
        (text,) = consent.due(ADDE, languages, user.pk)
        return text.text

    assert [read(anna, tag) for tag in ("de-AT", "de-CH", "fr-CA", "it")] == [
        "Staff de-AT", "Staff de", "Staff fr", "Staff de"
    ]  # fmt: skip
    assert [read(ben, tag, tag[:2]) for tag in ("de-CH", "it")] == ["Staff de", "For all others"]
    assert read(cleo, "de-AT", "de") == "All de"


def test_terms_that_a_rule_names_do_not_go_under_it(anna: User) -> None:
    german = local_texts.Written(
        kind=PolicyText.Kind.TERMS, name="Staff", language="de", country="", content="Gut.", notice_email=""
    )
    local_texts.save(german, actor="root")
    made = rule(group("Sales", anna), terms_name="Staff")

    with pytest.raises(TextRefused, match="Sales"):
        local_texts.delete(LocalText.objects.get(), actor="root")
    with pytest.raises(TextRefused, match="Sales"):
        local_texts.save(replace(german, name="Guests"), actor="root", row=LocalText.objects.get())
    assert LocalText.objects.get().name == "Staff"
    ruling.save(Written(group=made.group, device_limit=1), actor="root", row=made)
    local_texts.delete(LocalText.objects.get(), actor="root")
    with pytest.raises(RuleRefused, match="no terms of this name"):
        ruling.save(Written(group=made.group, terms_name="Staff"), actor="root", row=made)


def test_discovery_heeds_the_kinds_and_tells_no_more_than_before(switch: Switch, adde: None) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    cleo = make_person("cleo", roles=(Role.ADDE, Role.AAUE))
    assert discovery.kind_for("cleo") == ADDE
    made = rule(group("Private", cleo), kinds=["aaue"])
    assert discovery.kind_for("cleo") == AAUE

    with CaptureQueriesContext(
        connection,
    ) as known:
        discovery.kind_for("cleo")
    with CaptureQueriesContext(connection) as unknown:
        discovery.kind_for("nobody")
    assert len(known) == len(unknown) <= 3  # the person, roles, rules

    cleo.role_grants.filter(key=Role.AAUE).delete()  # no kind is left: refused after the sign-in, with the reason
    assert discovery.kind_for("cleo") == ADDE
    assert refusal(cleo) == (reasons.KIND_REFUSED.code, str(made))


def test_before_the_sign_in_a_device_is_asked_for_no_more_than_anybody_needs(anna: User, switch: Switch) -> None:
    """Else the answer to a name would tell an outsider of its groups."""
    old = Facts(kind=ADDE, family="iPad", os_version="17.5")
    switch("registration.minimum_os", "iOS=18.0")
    assert policy.wanted_system(old) == "18.0"
    rule(group("Sales", anna), minimum_os={"iPad": "18.4"})
    assert policy.wanted_system(old) == "18.0"
    rule(group("Old ones"), minimum_os={"iPad": "17.6"})
    assert policy.wanted_system(old) == "17.6"
    rule(group("Older ones"), minimum_os={"iPad": "17"})
    assert policy.wanted_system(old) is None


def test_evaluation_costs_one_query_more_however_many_rules(anna: User, adde: None) -> None:
    facts = Facts(kind=ADDE, family="iPad", os_version="18.0", udid="NEW")
    policy.require(anna, facts)  # the settings are read
    with CaptureQueriesContext(connection) as before:
        policy.require(anna, facts)
    for n in range(12):
        rule(group(f"G{n}", anna), device_limit=5, minimum_os={"iPad": "17"})
    with CaptureQueriesContext(connection) as after:
        policy.require(anna, facts)

    assert len(after) == len(before) + 1  # there is a limit now, so devices are counted
    assert len(after) == 4  # roles, rules, devices, whose this device was


def test_a_group_takes_its_rule_with_it(anna: User) -> None:
    rule(group("Sales", anna), device_limit=1)
    provider = IdentityProvider.objects.create(name="Login")
    rule(Group.objects.create(provider=provider, external_id="staff", name="staff"), device_limit=1)

    Directory.objects.get().delete()
    provider.delete()

    assert not Rule.objects.exists()
    assert rules.of(anna.pk).limit().value is None


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"kinds": ["web"]},
        {"families": ["Watch"]},
        {"device_limit": 51},
        {"minimum_os": {"iPad": "new"}},
        {"owner": "NOBODY"},
        {"terms": "[click](javascript:alert)"},
    ],
)
def test_what_a_rule_cannot_say_changes_nothing(anna: User, says: dict[str, Any]) -> None:
    with pytest.raises(RuleRefused):
        rule(group("Sales", anna), **says)
    assert not Rule.objects.exists()


def test_whom_a_rule_touches_and_what_is_written_of_it(anna: User) -> None:
    ben, cleo = make_person("ben"), make_person("cleo")
    make_person("dora", is_admin=False)
    first = rule(group("First", anna), device_limit=3)
    second = group("Second", anna, ben, cleo)
    own_devices(ben, 2)
    User.objects.filter(pk=cleo.pk).update(is_active=False)

    reach = ruling.reach(second, above=ruling.groups_above(None), limit=1)

    assert (reach.people, reach.overruled, reach.beyond) == (2, 1, 1)
    assert ruling.reach(None, above=(), limit=None).people == 3
    ruling.save(Written(group=first.group, device_limit=4), actor="root", row=first)
    ruling.delete(first, actor="root")
    saved, changed, deleted = AuditEntry.objects.filter(subject_type="rule").order_by("pk")
    assert changed.details == {"device_limit": {"from": 3, "to": 4}}
    assert (saved.action, deleted.action, deleted.subject) == ("rule.saved", "rule.deleted", "First (Corp)")
