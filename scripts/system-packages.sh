#!/bin/sh
# Makes sure that the system has what pip can't install; says what to do where it may not install it itself.
# Usage: system-packages.sh [tests]
set -eu

missing=""
need() { # need PACKAGE, unless the command after it succeeds
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

python=${PYTHON:-python3}
has_postgres() { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; }
has_limits() { prlimit --version && setpriv --version; }
has_chromium() { command -v chromium || command -v chromium-browser; }
has_chromaprint() { ldconfig -p | grep -q libchromaprint || /sbin/ldconfig -p | grep -q libchromaprint; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "sordino: Python 3.11 or newer is needed as $python (or: make PYTHON=/path/to/python3.11 ...)" >&2
    exit 1
fi
need python3-venv "$python" -c 'import ensurepip, venv'
need ffmpeg ffmpeg -version
need libchromaprint1 has_chromaprint
need util-linux has_limits
if [ "${1:-}" = tests ]; then
    need postgresql has_postgres
    need chromium has_chromium
    if [ -z "${SORDINO_TEST_KAFKA:-}" ]; then
        need default-jre-headless java -version
        need maven mvn --version
    fi
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "sordino: missing:$missing (Debian's names); please install them with your system's package manager" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo="sudo"
else
    echo "sordino: missing:$missing; please run: sudo apt-get install$missing" >&2
    exit 1
fi
echo "sordino: installing$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
