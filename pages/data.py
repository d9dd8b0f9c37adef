"""Datasets: add, cleaning report, class shares, split, and the tiles themselves."""

import streamlit as st

from marsseg import services
from marsseg.config import DataConfig
from marsseg.errors import MarsSegError
from marsseg.ui import data_import, data_page, keys, live, shell

shell.begin_page(__file__)
lab = services.open_lab()

records = services.list_datasets(lab)
names = [record.name for record in records]
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = st.selectbox("Dataset", names, key=keys.DATASET, bind="query-params", width=320)
    request = data_import.render_add_dataset()
if request is not None:
    try:
        if request.upload is not None:
            services.start_upload(
                lab, request.upload.name, request.upload, name=request.name, frame_size=request.frame_size
            )
        else:
            services.start_import(lab, request.path, name=request.name, frame_size=request.frame_size)
    except MarsSegError as error:
        shell.render_error(error)


def importing() -> bool:
    return any(not job.is_done for job in services.list_imports())


def dismiss(job_id: int) -> None:
    services.dismiss_import(job_id)


def show(dataset: str) -> None:
    st.session_state[keys.DATASET] = dataset


live.refresh(
    "data.imports",
    lambda: data_import.render_imports(services.list_imports(), on_dismiss=dismiss, on_show=show),
    importing,
    every=0.5,
)
if name is None:
    shell.render_empty("dataset", "No dataset yet", "Add one above: its tiles and their masks appear here.")
    st.stop()

try:
    report = services.dataset_report(lab, name)
    tiles = services.dataset_tiles(lab, name)
    data_page.render_facts(report)
    overview, cleaning, browser = st.tabs(["Overview", "Cleaning report", "Tiles"], key=keys.DATA_TABS)
    with overview:
        data_page.render_shares(report)
        data_page.render_split(lambda split: services.split_summary(lab, split), DataConfig(dataset=name))
    with cleaning:
        data_page.render_groups(
            report,
            tiles,
            lambda group_id, keep: shell.attempt(lambda: services.keep_group(lab, name, group_id, keep=keep)),
        )
    with browser:
        data_page.render_browser(report, tiles)
except MarsSegError as error:
    shell.render_error(error)
