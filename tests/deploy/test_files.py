"""The files in `deploy/` speak of what there is."""

import configparser
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from devices.door import postgresql
from epmm import figures, metrics
from tests import services
from tests.epmm.processes import ROOT

DEPLOY = ROOT / "deploy"
SERVICES = sorted((DEPLOY / "systemd").glob("*.service"))
UNITS = sorted((DEPLOY / "systemd").iterdir())
DIRECT = DEPLOY / "pgbouncer" / "gateway-direct.conf"
HARDENING = {
    "NoNewPrivileges": ["yes"],
    "ProtectSystem": ["strict"],
    "ProtectHome": ["yes"],
    "PrivateTmp": ["yes"],
    "CapabilityBoundingSet": [""],
    "UMask": ["0077"],
    "User": ["epmm"],
}
OURS = ("epmm", "users", "devices", "enrollment")


class Unit(configparser.RawConfigParser):
    """systemd's files say a name several times: all of what they say counts."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",), dict_type=Repeating)
        self.optionxform = str  # type: ignore[method-assign,assignment] # as configparser documents it
        self.read(path)

    def said(self, section: str, name: str) -> list[str]:
        return str(self.get(section, name, fallback="")).split("\n")


class Repeating(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            value = [*self[key], *value]
        super().__setitem__(key, value)


def test_the_environment_file_names_every_variable() -> None:
    code = "".join((ROOT / "epmm" / name).read_text() for name in ("settings.py", "bootstrap.py"))
    read = {name.removesuffix("_FILE") for name in re.findall(r'"(EPMM_[A-Z_]+)"', code)}
    named = re.findall(r"^#?(EPMM_[A-Z_]+)=", (DEPLOY / "epmm.env").read_text(), flags=re.MULTILINE)

    assert sorted(named) == sorted(read)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_may_little_and_gets_its_secrets_from_systemd(path: Path) -> None:
    unit = Unit(path)

    assert {name: unit.said("Service", name) for name in HARDENING} == HARDENING
    given = {line.partition(":")[0] for line in unit.said("Service", "LoadCredential")}
    named = dict(re.findall(r"(EPMM_\w+)_FILE=%d/(\w+)", "\n".join(unit.said("Service", "Environment"))))
    assert set(named.values()) == given
    assert set(named) == {"EPMM_SECRET_KEY", "EPMM_FIELD_KEYS", "EPMM_DATABASE_URL"}


def environment(unit: Unit, files: dict[str, str]) -> dict[str, str]:
    """As systemd.exec(5) has it: what a file says goes before `Environment=`, and what is unset is, whoever set it."""
    lines = unit.said("Service", "Environment")
    for file in unit.said("Service", "EnvironmentFile"):
        lines += [line for line in files[file].splitlines() if not line.startswith("#")]
    found = dict(line.split("=", 1) for line in lines if line)
    return {name: value for name, value in found.items() if name not in unit.said("Service", "UnsetEnvironment")}


def test_gateways_go_past_the_pooler_that_all_others_use(tmp_path: Path) -> None:
    """As the manual has it: the environment of the machine names PgBouncer."""
    said = (DEPLOY / "epmm.env").read_text().replace("#EPMM_DATABASE_POOLER=none", "EPMM_DATABASE_POOLER=transaction")
    files = {"/etc/epmm/epmm.env": said}
    with_drop_in = tmp_path / "gateway"
    with_drop_in.write_text((DEPLOY / "systemd" / "epmm-gateway@.service").read_text() + DIRECT.read_text())
    gateway = Unit(with_drop_in)
    others = [environment(Unit(path), files) for path in SERVICES if "gateway" not in path.name]

    assert {each["EPMM_DATABASE_POOLER"] for each in others} == {"transaction"}
    assert {each["EPMM_DATABASE_URL_FILE"] for each in others} == {"%d/database_url"}
    assert "EPMM_DATABASE_POOLER" not in environment(gateway, files)
    assert environment(gateway, files)["EPMM_DATABASE_URL_FILE"] == "%d/direct_database_url"
    assert "direct_database_url" in {each.partition(":")[0] for each in gateway.said("Service", "LoadCredential")}


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_runs_commands_that_there_are(path: Path) -> None:
    from django.core.management import get_commands

    commands = [line.split() for line in Unit(path).said("Service", "ExecStart")]

    assert commands
    assert all(words[1] == "manage.py" and words[2] in get_commands() for words in commands)


def test_the_proxies_look_for_the_sockets_that_the_units_open() -> None:
    opened = {
        place.replace("%i", number)
        for path in (DEPLOY / "systemd").glob("*.socket")
        for place in Unit(path).said("Socket", "ListenStream")
        for number in "12"
    }
    for name in ("nginx/epmm.conf", "haproxy/haproxy.cfg"):
        assert set(re.findall(r"/run/epmm/[\w-]+\.sock", (DEPLOY / name).read_text())) == opened


def test_haproxy_is_in_the_group_that_may_use_the_sockets() -> None:
    """By its own file: it gives up the groups that its account is in."""
    (group,) = re.findall(r"^    group (\S+)", (DEPLOY / "haproxy" / "haproxy.cfg").read_text(), flags=re.MULTILINE)

    assert {Unit(path).get("Socket", "SocketGroup") for path in (DEPLOY / "systemd").glob("*.socket")} == {group}


def test_the_proxies_have_room_for_100_000_devices_that_are_woken_together() -> None:
    """On a machine of two cores, as unevenly as two workers may share them."""
    nginx = (DEPLOY / "nginx" / "nginx.conf").read_text()
    connections, descriptors = (
        int(re.findall(rf"^ *{name} (\d+);", nginx, flags=re.MULTILINE)[0])
        for name in ("worker_connections", "worker_rlimit_nofile")
    )
    (haproxy,) = re.findall(r"^ *maxconn (\d+)", (DEPLOY / "haproxy" / "haproxy.cfg").read_text(), flags=re.MULTILINE)

    assert 2 * connections >= 120_000
    assert descriptors >= 2 * connections
    assert int(haproxy) >= 120_000


@pytest.mark.service("systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        text = path.read_text()
        python = re.compile(r"/opt/epmm/(current|releases/%i)/\.venv/bin/python")
        (tmp_path / path.name).write_text(python.sub("/bin/true", text))
    drop_ins = tmp_path / "epmm-gateway@.service.d"
    drop_ins.mkdir()
    shutil.copy(DIRECT, drop_ins)
    program = shutil.which("systemd-analyze", path=services.PROGRAMS)
    units = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run([str(program), "verify", "--man=no", *units], capture_output=True, text=True, check=False)

    assert [line for line in done.stderr.splitlines() if "epmm" in line] == []


def metrics_that_there_are() -> set[str]:
    """By the names under which Prometheus knows them."""
    own = {
        sample if metric.type != "counter" else f"{metric.name}_total"
        for metric in metrics.registry.collect()
        for sample in (
            [f"{metric.name}_{end}" for end in ("bucket", "count", "sum")]
            if metric.type == "histogram"
            else [metric.name]
        )
    }
    source = "".join(path.read_text() for app in OURS for path in (ROOT / app).rglob("*figures.py"))
    return own | set(re.findall(r'name="(epmm_\w+)"', source))


def test_alerts_speak_of_metrics_that_there_are() -> None:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    rules = group["rules"]
    named = {name for rule in rules for name in re.findall(r"epmm_\w+", rule["expr"])}

    assert named <= metrics_that_there_are()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert all(
            rule["expr"].count(opening) == rule["expr"].count(closing) for opening, closing in ("()", "[]", "{}")
        )


def test_no_alert_counts_the_commands_of_devices_that_are_off() -> None:
    """Half of a fleet may be: the number says nothing, and stops at 100,000."""
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]

    assert not any(re.search(r"epmm_commands_open\)? *>", rule["expr"]) for rule in group["rules"])


def test_a_pooler_gives_up_before_the_door_does() -> None:
    pooler = configparser.ConfigParser(inline_comment_prefixes=())
    pooler.read(DEPLOY / "pgbouncer" / "pgbouncer.ini")

    assert 0 < pooler.getint("pgbouncer", "query_wait_timeout") < postgresql.SECONDS


def test_every_figure_is_in_the_manual() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics_that_there_are()}

    assert [name for name in sorted(families) if f"`{name}" not in manual] == []


def test_no_figure_is_asked_for_more_often_than_every_15_seconds() -> None:
    import_module("epmm.urls")  # registers them
    assert figures.SOURCES
    assert all(source._seconds >= 15 for source in figures.SOURCES)
