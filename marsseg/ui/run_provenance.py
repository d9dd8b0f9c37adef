"""What a run was made with, and how to make it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from marsseg.ui import text
from marsseg.wording import counted

if TYPE_CHECKING:
    from marsseg.services import Reproduction
    from marsseg.store.records import RunRecord

_COMMIT_DIGITS = 12
_SHA_DIGITS = 32
_YES_NO: dict[object, str] = {True: "yes", False: "no"}


def render_provenance(run: RunRecord, reproduction: Reproduction) -> None:
    """Draw the command that makes the run again, what would change its numbers, and all that is known."""
    _reproduce(reproduction)
    if not run.provenance:
        st.caption("Code, packages and machine are recorded when its worker begins.")
    st.table(
        _facts(run, reproduction), border="horizontal", width="content", alt="What this run was made with"
    )


def _reproduce(reproduction: Reproduction) -> None:
    st.markdown("**Reproduce**")
    commit = [f"git checkout {reproduction.commit}"] if reproduction.commit else []
    st.code("\n".join([*commit, reproduction.command]), language="bash", wrap_lines=True)
    for note in reproduction.notes:
        st.markdown(f":orange[:material/warning:] {text.markdown(note)}")
    if not reproduction.notes:
        st.caption("On the same machine this gives the same numbers, to the last digit.")


def _facts(run: RunRecord, reproduction: Reproduction) -> dict[str, str]:
    """Words by label; what was not recorded is left out."""
    known = run.provenance
    facts = {
        "Code": _code(reproduction),
        "Packages": _packages(known),
        "Machine": _machine(run),
        "Deterministic": _YES_NO.get(known.get("deterministic"), ""),
        "Dataset": f"{run.dataset_name}, sha256 {reproduction.dataset_sha256[:_SHA_DIGITS]}…",
        "Left out": f"{counted(len(run.dropped_rows), 'tile')}, as outliers" if run.dropped_rows else "",
        "Worker": known.get("command") or "",
    }
    return {label: text.markdown(words) for label, words in facts.items() if words}


def _code(reproduction: Reproduction) -> str:
    if reproduction.commit is None:
        return ""
    changed = ", with changes that were not committed" if reproduction.dirty else ", nothing changed"
    return f"commit {reproduction.commit[:_COMMIT_DIGITS]}{changed}"


def _packages(known: Any) -> str:
    packages = [f"{name} {version}" for name, version in (known.get("packages") or {}).items() if version]
    python = [f"Python {known['python']}"] if known.get("python") else []
    return ", ".join([*python, *packages])


def _machine(run: RunRecord) -> str:
    known = run.provenance
    threads = known.get("intra_op_threads") or run.threads
    of_cores = f"{threads} of {known['cores']}" if known.get("cores") else f"{threads}"
    share = f"{of_cores} CPU thread{'s' * (of_cores != '1')}"
    driver = f"driver {known['gpu_driver']}" if known.get("gpu_driver") else ""
    parts = [known.get("device"), driver, share if threads else "", known.get("platform")]
    return ", ".join(str(part) for part in parts if part)
