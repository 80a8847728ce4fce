"""Checks that each dependency is installed in the lowest version that jobcancel declares.

Run `python -m tests.lowest` before testing with these versions: a dependency of the tests might
require a higher version, and the declared one would remain untested.
"""

from __future__ import annotations

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version


def higher_than_declared(distribution: str) -> list[str]:
    """Return the dependencies that are not installed in their lowest declared version."""
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
