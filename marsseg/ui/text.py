"""Text that people typed, made safe to stand in Markdown, HTML and chart labels."""

from __future__ import annotations

import html
import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>#$~:&])")
_LIST_START = re.compile(r"^([-+]|\d+(?=[.)]))")
_JOINER = "\u2060"  # takes no room and allows no line break
# Streamlit replaces these in the finished text, after Markdown's own escapes have been resolved:
# emoji and icon shortcodes, addresses, and signs such as arrows.
_LATE = re.compile(r"(:(?=[\w/+-])|@(?=\w)|\bwww(?=\.)|<(?=-|=)|-(?=-|>)|[>~](?==))", re.IGNORECASE)


def one_line(text: str) -> str:
    """The text with runs of white space, line breaks included, as single spaces."""
    return " ".join(text.split())


def markdown(text: str) -> str:
    """Text that `st.markdown` and labels show letter by letter, whatever it holds.

    Markdown, HTML, LaTeX, colour directives, emoji and icon shortcodes, addresses and arrows all
    stay as typed; line breaks become spaces.
    """
    joined = _LATE.sub(rf"\1{_JOINER}", one_line(text))
    escaped = _SPECIAL.sub(r"\\\1", joined)
    return _LIST_START.sub(_escape_list_start, escaped)


def notes(text: str) -> str:
    """Notes in Markdown as their writer meant them: lines stay lines.

    Pictures, which the browser would fetch from wherever they lie, stay text.
    """
    return "  \n".join(text.replace("![", "!\\[").splitlines())


def markup(text: str) -> str:
    """Text for HTML and SVG, in elements and in quoted attributes."""
    return html.escape(one_line(text), quote=True)


def chart_label(text: str) -> str:
    """Text for Plotly, which reads tags such as <b> in labels, and LaTeX between dollar signs."""
    return html.escape(one_line(text), quote=False).replace("$", "&#36;")


def shorten(text: str, length: int = 40) -> str:
    """The text on one line, cut at `length` characters with an ellipsis."""
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _escape_list_start(match: re.Match[str]) -> str:
    start = match.group(1)
    return f"\\{start}" if start in "-+" else f"{start}\\"
