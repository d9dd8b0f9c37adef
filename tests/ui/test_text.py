from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from marsseg.ui import text

HOSTILE = [
    "<b>x</b> **y** $z$ :red[no]",
    "# not a title",
    "- not a list",
    "12. not a list",
    "> not a quote",
    "a_b_c *d* `e` ~~f~~",
    "[label](http://example.org)",
    "![image](http://example.org/x.png)",
    "&lt;script&gt; &amp; co",
    "back\\slash",
    "+SE +residual, focal γ 2",
]


@pytest.mark.parametrize("typed", HOSTILE)
def test_markdown_shows_what_was_typed(typed):
    html = MarkdownIt("commonmark", {"html": True}).render(text.markdown(typed)).strip()
    inner = re.fullmatch(r"<p>(.*)</p>", html)
    assert inner, html
    assert "<" not in inner.group(1)
    shown = (
        inner.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    )
    assert shown.replace("\u2060", "") == typed


@pytest.mark.parametrize(
    "sign", [":smile:", ":material/home:", "->", "<-", "--", ">=", "<=", "~=", "www.example.org"]
)
def test_signs_that_streamlit_replaces_late_are_broken_up(sign):
    unescaped = text.markdown(f"a {sign} b").replace("\\", "")
    assert sign not in unescaped
    assert unescaped.replace("\u2060", "") == f"a {sign} b"


def test_line_breaks_become_spaces():
    assert text.markdown("a\n\n# b") == "a \\# b"


def test_markup_is_safe_in_elements_and_attributes():
    assert text.markup('<a href="x">\'&') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;"


def test_chart_labels_hold_no_tags_and_no_latex():
    assert text.chart_label("<b>x</b> $z$") == "&lt;b&gt;x&lt;/b&gt; &#36;z&#36;"


@pytest.mark.parametrize(
    ("typed", "shown"), [("short", "short"), ("x" * 50, "x" * 39 + "…"), ("a \n b", "a b")]
)
def test_shorten(typed, shown):
    assert text.shorten(typed) == shown


def test_notes_keep_lines_and_show_pictures_as_text():
    assert text.notes("*one*\ntwo ![x](http://a/b.png)") == "*one*  \ntwo !\\[x](http://a/b.png)"
