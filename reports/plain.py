"""Text of an attempt made harmless: no terminal escapes, hidden characters or CI commands."""

import re
import unicodedata

LONGEST = 400
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that steer or hide: controls, bidi and zero-width marks, surrogates, …"""
_COMMANDS = (("::", ": :"), ("##", "# #"))
"""How lines that a CI service obeys begin; any line of ours may be wrapped right there."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@$^=-])")


def plain(text: object, longest: int = LONGEST) -> str:
    """Returns a text on one line, with everything that steers or hides made visible."""
    shown = "".join(map(_visible, str(text)[: longest + 1]))
    if len(str(text)) > longest:
        shown = f"{shown[:longest]} […]"
    for command, harmless in _COMMANDS:
        while command in shown:
            shown = shown.replace(command, harmless)
    return shown


def marked(text: object) -> str:
    """Returns a text that Markdown and HTML show as it is, also inside a table."""
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A bare address would become a link all by itself.
    return _MARKDOWN.sub(r"\\\1", shown).replace("://", ":&#47;&#47;").replace("www.", "www&#46;")


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
