"""`make soak` runs what it says."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_loop_that_is_long_at_full_scale_is_marked() -> None:
    missing = []
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            asks = any(isinstance(each, ast.Name) and each.id == "soak" for each in ast.walk(ast.Module(node.body, [])))
            marked = any("mark.soak" in ast.unparse(each) for each in node.decorator_list)
            if asks and not marked:
                missing.append(f"{path.relative_to(TESTS)}: {node.name}")
    assert missing == []
