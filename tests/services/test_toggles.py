"""The changes that a study can try: by group, by label, and what they mean on any baseline."""

from __future__ import annotations

import pytest

from marsseg import services
from marsseg.config import RunConfig, idle_settings
from marsseg.config.loss import TERMS
from marsseg.errors import NotFoundError
from marsseg.presets import PRESETS, get_preset
from tests.support.labs import config


def test_changes_go_by_the_beginning_of_their_label() -> None:
    assert services.find_toggle("RESIDUAL").label == "Residual connections"
    assert services.find_toggle("inverse-frequency weights").label == "Inverse-frequency weights"
    with pytest.raises(NotFoundError, match="Several changes begin with 'skip gate'"):
        services.find_toggle("skip gate")
    for unknown in ("sorcery", " "):
        with pytest.raises(NotFoundError, match="no change"):
            services.find_toggle(unknown)


def test_every_change_changes_the_default_configuration_in_a_way_of_its_own() -> None:
    planned = services.plan_ablation(config(), services.TOGGLES)
    assert len(planned) == 1 + len(services.TOGGLES)
    assert len({run.name for run in planned}) == len(planned)


def test_a_list_of_labels_is_read_in_one_way() -> None:
    assert not [toggle.label for toggle in services.TOGGLES if "," in toggle.label or ";" in toggle.label]


def test_labels_name_one_change_each() -> None:
    labels = [toggle.label.casefold() for toggle in services.TOGGLES]
    assert len(set(labels)) == len(labels)
    assert [services.find_toggle(label).label.casefold() for label in labels] == labels


@pytest.mark.parametrize(
    ("group", "section"), [("Network", ("model.",)), ("Loss", ("loss.",)), ("Training", ("train.",)),
                           ("Data", ("data.", "augment."))]
)  # fmt: skip
def test_a_group_changes_its_part_of_the_configuration_only(group: str, section: tuple[str, ...]) -> None:
    paths = [path for toggle in services.TOGGLE_GROUPS[group] for path, _ in toggle.values]
    assert paths
    assert all(path.startswith(section) for path in paths)


def test_every_term_of_the_loss_and_every_change_to_tiles_can_be_tried() -> None:
    tried = {path for toggle in services.TOGGLES for path, value in toggle.values if value}
    assert {f"loss.{term}" for term in TERMS} <= tried
    changes = {f"augment.{name}" for name in config().augment.model_dump()}
    leaders = {path for path in changes if not path.endswith(("_strength", "_cutoff", "_ratio", "_cells"))}
    assert {path for path in leaders if config().flat()[path] in (0.0, 1.0)} <= tried


def test_a_loss_means_the_same_on_every_baseline() -> None:
    both = services.find_toggle("Cross-entropy + Dice")
    weights = {
        tuple(getattr(both.apply(get_preset(key).config).loss, term) for term in TERMS)
        for key in ("quick", "ladder-2", "notebook")
    }
    assert len(weights) == 1


@pytest.mark.parametrize("key", PRESETS)
def test_a_plan_from_a_preset_has_no_settings_without_a_say(key: str) -> None:
    start = get_preset(key).config
    planned = services.plan_ablation(start, services.TOGGLES)
    assert len(planned) > len(services.TOGGLES) / 2
    assert [said for run in planned for said in idle_settings(run.config, start)] == []
    assert idle_settings(start) == []


def test_the_plans_of_the_lab_have_no_settings_without_a_say() -> None:
    changed = [toggle.apply(RunConfig()) for toggle in services.TOGGLES]
    ladder = [run.config for run in services.plan_ladder(lambda row: row)]
    demo = [run.config for run in services.demo_ablation()]
    assert [said for each in (*changed, *ladder, *demo) for said in idle_settings(each)] == []
