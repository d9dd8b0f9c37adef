"""Keys of widgets and session state, `page.section.field`, all in this one place."""

from __future__ import annotations

TRAIN_FORM = "train"

FLASH = "app.messages.waiting"
REFUSED = "app.messages.refused"
STANDING = "app.messages.standing"
REDRAWN = "app.messages.part_drawn"
NAVIGATION = "app.navigation.stands"
DETOUR = "app.navigation.detour"
FOLLOWING = "app.navigation.following"


LIVE_PAGE = "app.live.page_wanted"


def remembered(name: str) -> str:
    """Session state: the last choice of what `name` stands for in the address."""
    return f"app.remembered.{name}"


def chosen_anew(name: str) -> str:
    """Session state: whether that choice is newer than the address."""
    return f"app.chosen_anew.{name}"


def field(form: str, path: str, part: int | None = None) -> str:
    """Key of a configuration field's widget; `part` tells the numbers of a tuple apart."""
    return f"{form}.config.{path}" + ("" if part is None else f".{part}")


def form_base(form: str) -> str:
    """Session state: the configuration that a form's fields are compared with."""
    return f"{form}.form.base"


def form_base_name(form: str) -> str:
    """Session state: what that configuration is called."""
    return f"{form}.form.base_name"


def form_source(form: str) -> str:
    """Session state: what shows where that configuration comes from, by its own key."""
    return f"{form}.form.source"


def form_set_aside(form: str) -> str:
    """Session state: what a form held before it was filled anew."""
    return f"{form}.form.set_aside"


def form_section(form: str) -> str:
    """Key of the switch between a form's sections."""
    return f"{form}.form.section"


def form_reset(form: str) -> str:
    """Key of the button that undoes a form's changes."""
    return f"{form}.form.reset"


def form_bring_back(form: str) -> str:
    """Key of the button that brings back what was set aside."""
    return f"{form}.form.bring_back"


def live(name: str) -> str:
    """Key of a part that refreshes by itself."""
    return f"{name}.live.part"


def board_table(content: int) -> str:
    """Key of the leaderboard's table; other rows are a new table, whose selection is handed over."""
    return f"leaderboard.table.{content}"


LENS = "lens"
DECODING = "decoding"
SPLIT = "split"
BOARD_DATASET = "dataset"
BASELINE = "baseline"
BASELINE_WIDGET = "leaderboard.view.baseline"
BOARD_FILTER = "filter"
BOARD_COLUMNS = "leaderboard.view.columns"
BOARD_SELECTED = "leaderboard.view.selected"
BOARD_LET_GO = "leaderboard.view.let_go"
BOARD_FOREST = "leaderboard.chart.forest"
BOARD_COST = "leaderboard.chart.cost"
BOARD_FORMATS = ("csv", "json", "md", "latex")


def board_export(form: str) -> str:
    """Key of a download button."""
    return f"leaderboard.export.{form}"


STUDY_NAME = "study.setup.name"
STUDY_PRESET = "study.setup.preset"
STUDY_DATASET = "study.setup.dataset"
STUDY_EPOCHS = "study.setup.epochs"
STUDY_REPEATS = "study.setup.repeats"
STUDY_PLAN = "study.setup.plan"
STUDY_RATE = "study.setup.learning_rate"
STUDY_BATCH = "study.setup.batch_size"
STUDY_GROUP = "study.setup.group"
STUDY_FOLDS = "study.setup.folds"
STUDY_LEAKS = "study.plan.leaks"


def study_toggles(group: str) -> str:
    """Key of the changes of one group; session state also while another group is on show."""
    return f"study.setup.toggles.{group}"


RUN = "run"
RUN_VIEW = "runs.detail.view"
CONFUSION_SPLIT = "runs.confusion.split"
CONFUSION_DECODING = "runs.confusion.decoding"
LOG_SEARCH = "runs.log.search"
LOG_DOWNLOAD = "runs.log.download"
RUNS_STATUS = "status"
RUNS_TAG = "tag"
RUNS_WORDS = "words"
RUNS_ARCHIVED = "archived"
RUNS_PICKED = "runs.table.picked"
RUNS_NEW_TAGS = "runs.picked.tags"
RUNS_DELETING = "runs.deletion.asked"
QUEUE_REMOVED = "runs.queue.removed"
QUEUE_MORE = "runs.queue.more"


def run_button(action: str, run_id: str) -> str:
    """Key of a button or field that does something to one run."""
    return f"runs.{action}.{run_id}"


def run_stored(field: str, run_id: str) -> str:
    """Session state: what the store said of a run when the field for it was last drawn."""
    return f"runs.stored.{field}.{run_id}"


def combine_field(field: str, place: str) -> str:
    """A widget of the choice how to combine runs, at a place of the page."""
    return f"runs.combine.{field}.{place}"


def runs_button(action: str) -> str:
    """Key of a button that does something to the queue, or to all chosen runs."""
    return f"runs.all.{action}"


def run_table(content: int) -> str:
    """Key of the table of runs that have ended; other rows are a new table."""
    return f"runs.table.{content}"


TRAIN_PRESET = "train.load.preset"
TRAIN_RUN = "train.load.run"
TRAIN_REPEATS = "train.start.repeats"
TRAIN_PRIORITY = "train.start.priority"
CHART_WEIGHTS = "train.chart.weights"
CHART_FOCAL = "train.chart.focal"
TRAIN_LEAKS = "train.preview.leaks"


def run_chart(which: str, run_id: str) -> str:
    """Key of a chart of one run; it stays while the chart refreshes."""
    return f"runs.chart.{which}.{run_id}"


RUNS = "runs"
MASK_RUNS = "masks.choice.runs"
MASK_ORDER = "order"
MASK_SPLIT = "mask_split"
MASK_DECODING = "mask_decoding"
MASK_ERRORS = "masks.view.errors"
MASK_PAGE = "masks.pager.page"
MASK_PREVIOUS = "masks.pager.previous"
MASK_NEXT = "masks.pager.next"
MASK_GRID = "masks.view.grid"

SEGMENT_UPLOAD = "segment.choice.upload"
SEGMENT_RUN = "segment.choice.run"
SEGMENT_HELD = "segment.choice.held"
SEGMENT_REMOVE = "segment.choice.remove"
SEGMENT_FRAME = "segment.choice.frame"
SEGMENT_MATCH = "segment.choice.match"


def segment_decoding(usual: str) -> str:
    """Which classes a mask may hold, for networks whose masks are usually decoded like this."""
    return f"segment.choice.decoding.{usual}"


SEGMENT_VIEWER = "segment.result.viewer"
SEGMENT_SHARES = "segment.result.shares"


DATASET = "dataset_name"
DATASET_REMOVE = "data.care.remove"
DATASET_REMOVING = "data.care.removing"
DATASET_KEEP = "data.care.keep"
DATASET_GOES = "data.care.goes"
DATA_TABS = "data_tab"
DATA_SHARES = "data.chart.shares"
IMPORT_FORM = "data.import.form"
IMPORT_PATH = "data.import.path"
IMPORT_OPEN = "data.import.open"
IMPORT_SENT = "data.import.sent"
IMPORT_PROBLEM = "data.import.problem"
IMPORT_FOLLOWED = "data.import.followed"
IMPORT_NAME = "data.import.name"
IMPORT_FRAME = "data.import.frame_size"
SPLIT_VALIDATION = "data.split.validation"
SPLIT_TEST = "data.split.test"
SPLIT_SEED = "data.split.seed"
DATA_LEAKS = "data.split.leaks"
LEAK_GRID = "leaks.pairs.grid"
BROWSER_CLASSES = "data.browser.classes"
BROWSER_DROPPED = "data.browser.dropped"
BROWSER_GRID = "data.browser.grid"
AUGMENT_TAB = "Augmentation"
AUGMENT_EPOCH = "data.augmentation.epoch"
AUGMENT_NEXT = "data.augmentation.next"
AUGMENT_GRID = "data.augmentation.grid"


def dataset_name(dataset_id: int) -> str:
    """Key of the field in which a dataset is renamed."""
    return f"data.care.name.{dataset_id}"


def import_upload(sent: int) -> str:
    """Key of the place to drop a dataset; a new one once what was dropped has been sent."""
    return f"data.import.upload.{sent}"


def import_button(action: str, job_id: int) -> str:
    """Key of a button beside an import's outcome."""
    return f"data.import.{action}.{job_id}"


def browser_page(dataset_id: int, pages: int) -> str:
    """Key of the page number; another filter starts at its first page."""
    return f"data.browser.page.{dataset_id}.{pages}"


def group_keep(group_id: str) -> str:
    """Key of the decision on an outlier group."""
    return f"data.group.keep.{group_id}"


def group_grid(group_id: str) -> str:
    """Key of an outlier group's pictures."""
    return f"data.group.grid.{group_id}"
