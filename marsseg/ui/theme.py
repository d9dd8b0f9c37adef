"""Colours of the page's theme, where a part of Streamlit does not take them by itself."""

from __future__ import annotations

import streamlit as st


def text_color() -> str | None:
    """The page's text colour on its light or dark ground; None where the theme names none."""
    color = st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor")
    return str(color) if color else None
