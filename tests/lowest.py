"""Checks that the lowest version that jobcancel declares is installed of each package.

`python -m tests.lowest`, before the tests run with these versions: something that the tests
need might ask for a higher version, and the declared one would go untested.
"""

from __future__ import annotations

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version


def higher_than_declared(distribution: str) -> list[str]:
    """Return what is installed in another version than its lower bound."""
    found = []
    for requirement in map(Requirement, metadata.requires(distribution) or ()):
        bounds = [each.version for each in requirement.specifier if each.operator == ">="]
        if requirement.name != distribution:
            installed = metadata.version(requirement.name)
            if [Version(installed)] != [Version(bound) for bound in bounds]:
                found.append(f"{requirement}: {installed} is installed")
    return found


if __name__ == "__main__":
    sys.exit("\n".join(higher_than_declared("jobcancel")) or None)
