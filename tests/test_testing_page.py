"""The examples on the pages about testing are tests, and pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The plug-in of schemathesis takes longer to import than everything else together.
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:schemathesis")


@pytest.mark.parametrize("page", ["docs/testing.md", "cassettes/README.md"])
def test_the_example_tests_pass(page: str, tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    file = tmp_path / "test_page.py"
    file.write_text("\n".join(examples))
    command = [sys.executable, "-m", "pytest", "-W", "error", *WITHOUT, str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    functions = sum(example.count("def test_") for example in examples)
    assert 0 == ran.returncode, ran.stdout
    assert functions <= int(re.findall(r"(\d+) passed", ran.stdout)[-1])
