#!/bin/sh
# Make .venv if there is none, and bring it in line with a lock file.
#
#   scripts/setup.sh requirements.lock
#
# A copy of the lock inside .venv says what was installed last, so a second call returns at once.
# PYTHON=/path/to/python3.12 chooses the interpreter.
set -eu

lock=$1
venv=.venv
installed="$venv/installed-$lock"

complain() {
    echo "$1" >&2
    exit 1
}

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || complain "PYTHON=$PYTHON does not run, or is not Python 3.11, 3.12 or 3.13; name one that is."
        echo "$PYTHON"
        return
    fi
    for candidate in python3.11 python3.12 python3.13 python3 python; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    complain "MarsSeg Lab needs Python 3.11, 3.12 or 3.13 and found none on the PATH. Install one, or say where it is: PYTHON=/path/to/python3.12 make setup"
}

make_venv() {
    python=$(find_python)
    echo "Making $venv with $("$python" --version) …"
    if ! "$python" -m venv --clear "$venv"; then
        rm -rf "$venv"
        complain "$python cannot make a virtual environment. On Debian and Ubuntu install its venv package (apt install python3-venv), then try again."
    fi
}

fits "$venv/bin/python" || make_venv

if ! cmp -s "$lock" "$installed"; then
    echo "Installing what $lock names; the first time this takes a minute or more …"
    quiet=--quiet
    [ -t 1 ] && quiet=
    # shellcheck disable=SC2086 # empty on a terminal, where people like to see something move
    "$venv/bin/python" -m pip install $quiet --disable-pip-version-check -r "$lock" ||
        complain "The packages of $lock could not be installed; the lines above say why. Check the network and the free disk space (3 GB), then try again."
    cp "$lock" "$installed"
fi
