"""What is running, queued and finished; one run in detail."""

import streamlit as st

from marsseg import services
from marsseg.errors import NotFoundError
from marsseg.ui import keys, live, run_actions, run_bulk, run_cards, run_detail, run_queue, run_table, shell
from marsseg.ui import run_handlers, state

shell.begin_page(__file__)
lab = services.open_lab()
