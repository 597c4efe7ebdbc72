# Read by ./run and ./test: makes the virtual environment and puts the locked packages into it.
# What is in place is not done again; what was interrupted starts over.  POSIX sh; `root` is the checkout.
# shellcheck shell=sh disable=SC2154
venv=$root/.venv
# Set in many images, which are built once: here each of the processes would compile all of its modules anew.
unset PYTHONDONTWRITEBYTECODE

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Debian and Ubuntu let root install what is missing; a machine's package lists may be absent or old.
can_apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    set -- apt-get install -qq -y --no-install-recommends "$@"
    "$@" >/dev/null 2>&1 || { apt-get update -qq && "$@"; } >&2
}

# Prints a Python that is new enough and can make virtual environments.  The distribution's comes first: it is built with
# the optimizations that version managers leave out, a third faster.  Not that of macOS: until Apple's developer tools are
# there it is a window which offers them.
find_python() {
    [ "$(uname)" = Darwin ] && first= || first=/usr/bin/python3
    for python in $first python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

need_python() {
    # Debian packs what makes virtual environments apart from Python itself
    if can_apt_install && ! /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
        apt_install python3-venv || true
    fi
    find_python && return
    fail "EPMM needs Python 3.11 or newer that can make virtual environments. Install it, then start again:
    Debian 12, Ubuntu 24.04:  sudo apt-get install -y python3-venv
    macOS:                    brew install python@3.12"
}

# set_up FILE...: .venv holds what these requirements files lock.  A copy of each file, laid down last, is the proof.
set_up() {
    # what pip was interrupted in may look complete to it; and a Python upgraded beneath an environment leaves it empty
    if [ -e "$venv/unfinished" ] || ! "$venv/bin/python" -c 'import django' 2>/dev/null; then
        [ ! -L "$venv" ] || fail "$venv is a link: what it leads to would be cleared. Take the link away, then start again."
        python=$(need_python)
        "$python" -m venv --clear "$venv"
    fi
    for file in "$@"; do
        cmp -s "$root/$file" "$venv/$file" 2>/dev/null || install_locked "$file"
    done
}

# LDAP alone is built on this machine.  Where its headers are missing all the rest works; the portal says what is not there.
set_up_ldap() {
    file=requirements-ldap.txt
    cmp -s "$root/$file" "$venv/$file" 2>/dev/null && return
    set -- gcc python3-dev libldap2-dev libsasl2-dev
    has_ldap_headers || { can_apt_install && apt_install "$@"; } || true
    if ! has_ldap_headers; then
        echo "Going on without LDAP. For it: sudo apt-get install -y $*, then start again." >&2
        return
    fi
    echo "Installing $file ..." >&2
    pip_install "$file" || {
        echo "Going on without LDAP: it could not be installed. The next start tries again." >&2
        return
    }
    cp "$root/$file" "$venv/$file"
}

has_ldap_headers() {
    include=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    printf '#include <Python.h>\n#include <ldap.h>\n#include <sasl/sasl.h>\n' |
        gcc -E -I "$include" - >/dev/null 2>&1
}

install_locked() {
    echo "Installing $1 ..." >&2
    touch "$venv/unfinished"
    pip_install "$1"
    cp "$root/$1" "$venv/$1"
    rm "$venv/unfinished"
}

pip_install() {
    # not compiled: most of it is never imported, and what is, Python compiles at its first start
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-compile \
        --require-hashes -r "$root/$1"
}
