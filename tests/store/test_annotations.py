"""Notes, tags and the archive: what people say about runs."""

from __future__ import annotations

import pytest

from marsseg.errors import ConfigError, NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, RunStatus
from tests.store.building import new_run, queue_runs, run_in
from tests.store.racer import Race
from tests.store.test_names import HARMLESS

FINISHED = [RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST]


@pytest.fixture
def run_id(store: RunStore, dataset: DatasetRecord) -> str:
    return queue_runs(store, dataset, "a")[0]


def test_notes_keep_their_lines(store: RunStore, run_id: str) -> None:
    typed = "\n\n# Heading\r\n\n- *first*   \n\ttab 🪨 火星\n\n"
    assert store.set_notes(run_id, typed).notes == "# Heading\n\n- *first*\n tab 🪨 火星"
    assert store.set_notes(run_id, " \n ").notes == ""


@pytest.mark.parametrize("text", [*HARMLESS, "a\x00b", "a\x1b[31mb", "a\ud800b", "a\u202eb"])
def test_odd_characters_in_notes_harm_nobody(store: RunStore, run_id: str, text: str) -> None:
    kept = store.set_notes(run_id, text).notes
    assert kept == (text if text in HARMLESS else kept)
    assert not set(kept) & set("\x00\x1b\ud800\u202e")
    assert store.get_run(run_id).notes == kept


def test_notes_have_a_limit(store: RunStore, run_id: str) -> None:
    assert len(store.set_notes(run_id, "x" * 10_000).notes) == 10_000
    with pytest.raises(ConfigError, match="at most 10000 characters; got 10001"):
        store.set_notes(run_id, "y" * 10_001)
    assert store.get_run(run_id).notes == "x" * 10_000


@pytest.mark.parametrize(
    ("theirs", "ours", "kept"),
    [
        ("", "plain", "plain"),
        ("seen", "seen\nand more", "seen\nand more"),
        ("seen, by them", "seen\nand more", "seen, by them\n\nand more"),
        ("seen, by them", "all anew", "seen, by them\n\nall anew"),
        ("seen, by them", "", "seen, by them"),
        ("all anew", " all anew ", "all anew"),
    ],
)
def test_notes_that_were_changed_meanwhile_stay_above_ours(
    store: RunStore, run_id: str, theirs: str, ours: str, kept: str
) -> None:
    read = "seen" if theirs else ""
    store.set_notes(run_id, theirs)
    assert store.set_notes(run_id, ours, instead_of=read).notes == kept


def test_tags_are_tidied_sorted_and_each_there_once(store: RunStore, run_id: str) -> None:
    typed = ["Rock", " big   rock ", "rock", "Rock", "a\x00b", "火星"]
    tidy = ("a b", "big rock", "Rock", "rock", "火星")
    assert store.change_tags(run_id, add=typed).tags == tidy
    version = store.version()
    store.change_tags(run_id, add=typed[::-1])
    assert store.version() == version
    assert store.change_tags(run_id, remove=tidy).tags == ()


def test_tags_are_added_and_taken_away_one_by_one(store: RunStore, run_id: str) -> None:
    assert store.change_tags(run_id, add=["rock", " b "]).tags == ("b", "rock")
    assert store.change_tags(run_id, add=["c"], remove=["rock"]).tags == ("b", "c")
    version = store.version()
    assert store.change_tags(run_id, add=["b"]).tags == ("b", "c")
    with pytest.raises(NotFoundError, match=f"Run {run_id} has no tag 'x' to remove; its tags: b, c"):
        store.change_tags(run_id, add=["d"], remove=["x"])
    with pytest.raises(ConfigError, match="at most 20 tags"):
        store.change_tags(run_id, add=[f"tag {n}" for n in range(19)])
    assert (store.get_run(run_id).tags, store.version()) == (("b", "c"), version)


def test_no_tag_is_lost_when_several_add(store: RunStore, run_id: str, database_url: str, race: Race) -> None:
    script = """
store, result = RunStore(arguments[0]), None
for turn in range(5):
    store.change_tags(arguments[1], add=[f"{number}-{turn}"])
"""
    race(script, database_url, run_id)
    assert len(store.get_run(run_id).tags) == 20


@pytest.mark.parametrize("tag", ["", "  ", "a,b", "x" * 41, "\x00"])
def test_what_is_no_tag_is_refused(store: RunStore, dataset: DatasetRecord, run_id: str, tag: str) -> None:
    store.change_tags(run_id, add=["kept"])
    with pytest.raises(ConfigError, match="1 to 40 characters without a comma"):
        store.change_tags(run_id, add=["fine", tag])
    with pytest.raises(ConfigError, match="tags"):
        store.add_run(new_run(dataset, tags=(tag,)))
    assert store.get_run(run_id).tags == ("kept",)
    assert len(store.list_runs()) == 1


def test_a_run_has_at_most_twenty_tags(store: RunStore, run_id: str) -> None:
    assert len(store.change_tags(run_id, add=[f"tag {n}" for n in range(20)]).tags) == 20
    with pytest.raises(ConfigError, match="at most 20 tags a run; got 21"):
        store.change_tags(run_id, add=[f"tag {n}" for n in range(21)])


def test_tags_stand_in_alphabetical_order_whatever_their_case(store: RunStore, run_id: str) -> None:
    assert store.change_tags(run_id, add=["rock", "Basalt", "alpha", "rock"]).tags == (
        "alpha",
        "Basalt",
        "rock",
    )


def test_a_new_run_may_come_with_notes_and_tags(store: RunStore, dataset: DatasetRecord) -> None:
    run = store.add_run(new_run(dataset, notes=" first try \n", tags=("b", "a")))
    assert (run.notes, run.tags) == ("first try", ("a", "b"))


def test_notes_and_tags_are_allowed_in_any_state(store: RunStore, dataset: DatasetRecord) -> None:
    for status in RunStatus:
        run_id, _ = run_in(store, dataset, status)
        store.set_notes(run_id, "seen")
        run = store.change_tags(run_id, add=["seen"])
        assert (run.notes, run.tags, run.status) == ("seen", ("seen",), status)
        if status is RunStatus.QUEUED:
            store.request_stop(run_id)


def test_unknown_runs_are_not_found(store: RunStore) -> None:
    for change in (
        lambda: store.set_notes("r-00000000", "x"),
        lambda: store.change_tags("r-00000000", add=["x"]),
        lambda: store.archive_runs(["r-00000000"]),
        lambda: store.set_priority("r-00000000", 1),
    ):
        with pytest.raises(NotFoundError, match="r-00000000"):
            change()


def test_archived_runs_are_listed_apart(store: RunStore, dataset: DatasetRecord) -> None:
    ids = [run_in(store, dataset, status)[0] for status in FINISHED]
    store.archive_runs(ids[:2])
    assert [run.id for run in store.list_runs()] == ids[::-1]
    assert [run.id for run in store.list_runs(archived=False)] == [ids[3], ids[2]]
    assert [run.id for run in store.list_runs(archived=True)] == [ids[1], ids[0]]
    assert [run.id for run in store.list_runs(archived=True, statuses=[RunStatus.STOPPED])] == [ids[1]]
    store.archive_runs(ids, archived=False)
    assert store.list_runs(archived=True) == []


def test_a_run_that_goes_on_leaves_the_archive(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, _ = run_in(store, dataset, RunStatus.LOST)
    store.archive_runs([run_id])
    assert store.requeue(run_id).archived is False


@pytest.mark.parametrize("action", ["archive_runs", "delete_runs"])
def test_several_runs_are_handled_all_or_none(store: RunStore, dataset: DatasetRecord, action: str) -> None:
    done = [run_in(store, dataset, status)[0] for status in FINISHED]
    running, _ = run_in(store, dataset, RunStatus.RUNNING)
    before, version = store.list_runs(), store.version()
    for refused, error in (([*done, running], StateError), ([*done, "r-00000000"], NotFoundError)):
        with pytest.raises(error):
            getattr(store, action)(refused)
        assert (store.list_runs(), store.version()) == (before, version)
    getattr(store, action)([*done, done[0]])
    visible = [run.id for run in store.list_runs(archived=False)]
    assert visible == [running]
