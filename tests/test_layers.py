"""Imports follow the arrows, never back: enrollment -> devices -> users -> epmm, and edge -> service -> model."""

import ast
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("epmm", "users", "devices", "enrollment")  # each may know those before it
ROOTS = {"epmm.asgi", "epmm.urls", "epmm.wsgi", "epmm.celery"}  # the composition roots: they alone know every app
# What turns bytes into values and back may rely on these, and on nothing that holds state.
PURE_LIBRARIES = {"asn1crypto", "authlib", "cryptography", "joserfc", "lxml", "phone_iso3166"}
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "monotonic"),
    ("timezone", "now"),
}
# What passes between the device door and the services behind it; not the door itself.
CONTRACT = "devices.door.exchange"
# Inside an app, from the edge inwards; a layer imports its own and those after it.
LAYERS = {
    "management": 0, "views": 0, "door": 0, "api": 0, "urls": 0, "checkin": 0,
    "services": 1,
    "models": 2, "managers": 2,
    "protocol": 3, "wire": 3, "errors": 3,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Module:
    name: str
    tree: ast.Module

    @property
    def app(self) -> str:
        return self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """`services` for enrollment.services.sign_in."""
        return part_of(self.name)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[str]:
        """Every dotted name that could be a module: of `from a import b`, both `a` and `a.b`."""
        found = []
        for node in self.nodes:
            match node:
                case ast.Import(names=names):
                    found += [name.name for name in names]
                case ast.ImportFrom(module=source, names=names, level=0) if source:
                    found += [source, *(f"{source}.{name.name}" for name in names)]
        return found


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    found = []
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                name = ".".join(parts).removesuffix(".__init__")
                found.append(Module(name=name, tree=ast.parse(path.read_text())))
    return found


def is_pure(name: str) -> bool:
    return part_of(name) in {"protocol", "wire"}


def is_simulator(name: str) -> bool:
    return f"{name}.".startswith("enrollment.simulator.")


def test_the_apps_import_in_one_direction(modules: list[Module]) -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in modules
        if module.name not in ROOTS
        for name in module.imports
        if (app := name.partition(".")[0]) in APPS and APPS.index(app) > APPS.index(module.app)
    ]

    assert wrong == []


def test_inside_an_app_the_edge_knows_services_and_services_know_models(modules: list[Module]) -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in modules
        if module.part in LAYERS
        for name in module.imports
        if name.partition(".")[0] in APPS
        and not name.startswith(CONTRACT)
        and LAYERS.get(part_of(name), 3) < LAYERS[module.part]
    ]

    assert wrong == []


def test_the_api_takes_nothing_from_pages(modules: list[Module]) -> None:
    """What both show, and find by, is a service."""
    wrong = [
        f"{module.name} imports {name}"
        for module in modules
        if module.part == "api"
        for name in module.imports
        if name.partition(".")[0] in APPS and part_of(name) == "views"
    ]

    assert wrong == []


def test_nobody_imports_a_composition_root(modules: list[Module]) -> None:
    """Celery's application is the exception: the worker runs it, the start makes it the default."""
    wrong = [
        f"{module.name} imports {name}"
        for module in modules
        if module.name not in ROOTS
        for name in module.imports
        if name in ROOTS - {"epmm.celery"}
    ]

    assert wrong == []


def test_protocol_code_knows_only_the_standard_library_cryptography_and_its_like(modules: list[Module]) -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in modules
        if is_pure(module.name)
        for name in module.imports
        if not may_be_imported_by_pure_code(name)
    ]

    assert wrong == []


def may_be_imported_by_pure_code(name: str) -> bool:
    package = name.partition(".")[0]
    return package in sys.stdlib_module_names or package in PURE_LIBRARIES or is_pure(name)


def test_protocol_code_reads_no_clock(modules: list[Module]) -> None:
    wrong = [
        f"{module.name} line {node.lineno}"
        for module in modules
        if is_pure(module.name)
        for node in module.nodes
        if isinstance(node, ast.Attribute) and (last_name(node.value), node.attr) in CLOCKS
    ]

    assert wrong == []


def last_name(node: ast.expr) -> str:
    """`datetime` for both `datetime` and `datetime.datetime`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def test_the_simulator_shares_no_code_with_the_server_it_judges(modules: list[Module]) -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in modules
        if is_simulator(module.name)
        for name in module.imports
        if name.partition(".")[0] in APPS and not is_simulator(name) and name != "enrollment"
    ]

    assert wrong == []


def test_services_do_not_know_who_runs_them(modules: list[Module]) -> None:
    """A task is one more door to a service.  Services enqueue jobs by name, so there is no way back."""
    wrong = [
        f"{module.name}: {ast.unparse(node)}"
        for module in modules
        if LAYERS.get(module.part, 0) > 0
        for node in module.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and "tasks" in re.findall(r"\w+", ast.unparse(node))
    ]

    assert wrong == []


def test_imports_are_written_in_full(modules: list[Module]) -> None:
    """The rules above read absolute names only."""
    wrong = [
        module.name
        for module in modules
        for node in module.nodes
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]

    assert wrong == []


@pytest.mark.parametrize("rule", [is_pure, is_simulator])
def test_the_rules_speak_of_something(modules: list[Module], rule: Callable[[str], bool]) -> None:
    """A folder that was renamed must not make its rule fall silent."""
    assert any(rule(module.name) for module in modules)
