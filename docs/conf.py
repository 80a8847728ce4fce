"""Sphinx configuration: `sphinx-build -n -W -b html docs docs/_build/html`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import provider_pages
from sphinx.application import Sphinx

from jobcancel import __version__

project = "jobcancel"
author = "the jobcancel authors"
project_copyright = "2026, the jobcancel authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
smartquotes = False
html_theme = "furo"
html_title = f"jobcancel {__version__}"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
default_role = "code"

# Types of other libraries, whose inventories would have to be fetched.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(collections|datetime|httpx|pathlib|typing|Mapping|attrs)\b.*|signal\..*|Self|C|T|On|Supervise|Quota|Item|Received|(Async)?ApiKey",
    ),
    # What only jobcancel makes.
    ("py:.*", r"(Async)?Client|ClientPool|Limits|Replies|.*\.CancelPolicy|.*\.Step"),
]


def setup(app: Sphinx) -> None:
    """Have the providers' pages written before anything is read."""
    app.connect("builder-inited", provider_pages.write)
