"""Datasets: add, cleaning report, class shares, split, and the tiles themselves."""

from functools import partial

import streamlit as st

from marsseg import services
from marsseg.config import DataConfig
from marsseg.errors import MarsSegError
from marsseg.presets import PRESETS
from marsseg.ui import augment_view, data_care, data_import, data_page, form_sources, keys, leaks, live, shell

shell.begin_page(__file__)
lab = services.open_lab()


def start(request: data_import.ImportRequest) -> None:
    options = {"name": request.name, "frame_size": request.frame_size}
    if request.upload is not None:
        job = services.start_upload(lab, request.upload.name, request.upload, **options)
    else:
        job = services.start_import(lab, request.path, **options)
    data_import.follow(job.id)


data_import.select_imported(services.list_imports())
records = {record.name: record for record in services.list_datasets(lab)}
names = list(records)
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = st.selectbox("Dataset", names, key=keys.DATASET, bind="query-params", width=420)
    data_import.render_add_dataset(start)
    data_care.render_care(records.get(name), partial(services.rename_dataset, lab))
data_care.render_removal(names, partial(services.plan_removal, lab), partial(services.remove_dataset, lab))


def show(dataset: str) -> None:
    st.session_state[keys.DATASET] = dataset


live.refresh(
    "data.imports",
    lambda: data_import.render_imports(
        services.list_imports(), names, shown=name, on_dismiss=services.dismiss_import, on_show=show
    ),
    lambda: any(not job.is_done for job in services.list_imports()),
    every=0.5,
)
if data_import.has_news(services.list_imports()):
    st.rerun()  # one ended between the list of datasets and here
if name is None:
    shell.render_empty("dataset", "No dataset yet", "Add one above: its tiles and their masks appear here.")
    st.stop()

try:
    report = services.dataset_report(lab, name)
    tiles = services.dataset_tiles(lab, name)
    data_page.render_facts(report)
    overview, cleaning, browser, augmentation = data_page.render_tabs()
    if overview.open:
        with overview:
            data_page.render_shares(report)
            split = data_page.render_split(partial(services.split_summary, lab), DataConfig(dataset=name))
            if split is not None:
                leaks.render_leak_summary(lambda: services.find_leaks(lab, split), tiles)
    elif cleaning.open:
        with cleaning:
            data_page.render_groups(report, tiles, partial(shell.action(lab, services.keep_group), name))
    elif augmentation.open:
        with augmentation:
            form_sources.fill_first(PRESETS, names)
            augment_view.render_augmentation(name, lambda *which: services.preview_augmentation(lab, *which))
    else:
        with browser:
            data_page.render_browser(report, tiles)
except MarsSegError as error:
    shell.render_error(error)
