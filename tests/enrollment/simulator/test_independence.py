"""Two implementations check each other only while neither borrows from the other."""

import ast
from pathlib import Path

import enrollment.simulator

OURS = ("devices", "enrollment", "epmm", "users", "django")


def test_simulator_shares_nothing_with_the_server() -> None:
    borrowed = {
        f"{path.name}: {name}"
        for path in Path(enrollment.simulator.__file__).parent.glob("*.py")
        for name in imports(path)
        if name.split(".")[0] in OURS and not name.startswith("enrollment.simulator")
    }

    assert borrowed == set()


def imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.append(str(node.module))
    return names
