"""A page that stands alone: no script, no request, and nothing from an attempt that is markup.

Every value that a template shows passes `plain`, then jinja2's escaping. The style sheet is the
only one, and the content security policy names it by its hash and forbids everything else.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.charts import Sheet
from reports.plain import plain

TEMPLATES = Path(__file__).with_name("templates")
LINES = 60
"""Lines shown of a quote."""
LONG = 2_000
"""Characters shown of a value that may be long."""


def render(template: str, sheet: Sheet, **values: object) -> str:
    """Returns a page.

    Args:
        template: its file under `templates/`.
        sheet: the pictures on it; their styles become part of the page's.
        values: what the template shows.
    """
    style = f"{(TEMPLATES / 'style.css').read_text('utf-8')}\n{sheet.css()}\n"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    page = _templates().get_template(template)
    return page.render(
        # Both are ours: the style sheet, and a policy made of its hash.
        style=Markup(style),  # noqa: S704
        content_policy=Markup(policy),  # noqa: S704
        **values,
    )


def shown(value: object) -> object:
    """Returns what a template shows of a value: text is made plain, markup is ours."""
    if isinstance(value, Markup) or value is None or isinstance(value, bool | int | float):
        return value
    return plain(value, LONG)


def code(text: object) -> str:
    """Returns a line of code, its tabs as blanks."""
    return plain(str(text).expandtabs(4), LONG)


def brief(text: object) -> str:
    """Returns the beginning of a text."""
    return plain(text, 110)


def prose(text: object) -> str:
    """Returns a text of ours, its paragraphs kept and its lines joined."""
    paragraphs = (" ".join(part.split()) for part in str(text).split("\n\n"))
    return plain(" ".join(paragraphs), LONG)


def quoted(text: object) -> Markup:
    """Returns a text of several lines as it was written, each made plain."""
    lines = str(text).splitlines()
    shown = [plain(line.expandtabs(4), LONG) for line in lines[:LINES]]
    more = [f"[{len(lines) - LINES} more lines]"] if len(lines) > LINES else []
    return Markup("<br>").join([*shown, *more])


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        finalize=shown, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters.update(code=code, prose=prose, brief=brief, quoted=quoted)
    return found
