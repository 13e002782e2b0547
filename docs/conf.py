"""The documentation, `make docs`: the README, the notebooks with their stored outputs, and the
docstrings, read where they lie. Nothing is executed, and no page loads from another server."""

import re

from sphinx.application import Sphinx

from rscvae_lab import __version__

CONTENTS = """

```{toctree}
:hidden:

docs/course
docs/public
docs/package
docs/compared
NOTATION
CONTRIBUTING
data/README
results/README
results/REPORT
pretrained/README
```
"""

project, version = "rscvae_lab", __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx-mathjax-offline"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "notebooks/**.ipynb", "data/*.md", "results/*.md",
                    "pretrained/*.md"]
exclude_patterns = [".*", "runs", "notebooks/.*"]
html_theme, html_title = "furo", f"rscvae_lab {__version__}"
html_extra_path = ["index.html"]

EXPLORABLE = re.compile(r"\[([^\]]*)\]\((?:\.\./)*docs/explorable/?\)")  # a page beside these

nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}  # widgets need a kernel; before each stands a still figure
myst_enable_extensions = ["dollarmath", "amsmath"]

default_role = "code"  # docstrings write code as Markdown does
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True


def setup(app: Sphinx) -> None:
    app.connect("source-read", _complete)
    app.connect("autodoc-skip-member", _is_generated)
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=400)


def _is_generated(_: Sphinx, __: str, name: str, *___: object) -> bool | None:
    """Whether matplotlib (`set`) or scikit-learn (`set_fit_request`) made a method."""
    return True if name == "set" or name.endswith("_request") else None


def _complete(_: Sphinx, name: str, source: list[str]) -> None:
    """The README becomes the first page, with the contents of all others; a badge, which is an
    image of another server, becomes its words."""
    source[0] = re.sub(r"!\[([^\]]*)\]\(https?://[^)]*\)", r"\1", source[0])
    # in single quotes, for the source of a notebook is JSON
    address = f"{'../' * name.count('/')}explorable/index.html"
    source[0] = EXPLORABLE.sub(rf"<a href='{address}'>\1</a>", source[0])
    if name == root_doc:
        source[0] = source[0].replace("(notebooks/solutions)", "(docs/course.md)") + CONTENTS


def _as_restructured_text(_: Sphinx, what: str, __: str, ___: object, ____: object,
                          lines: list[str]) -> None:
    """Stars and bars stand for themselves; an indented block of a module's docstring is code."""
    for i, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [part.replace("*", r"\*").replace("|", r"\|") for part in parts[::2]]
        lines[i] = "`".join(parts)
    if what == "module":
        starts = [i for i in range(1, len(lines))
                  if lines[i].startswith("    ") and not lines[i - 1].strip()]
        for i in reversed(starts):
            lines[i:i] = ["::", ""]
