#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what Sidelight needs from Debian and PyPI: the same script for the README's commands, CI
# and the images. A second run changes nothing and takes a second.
#
#   docker/install.sh PART...
#
#   python            Python with venv (Debian packages; needs root)
#   system            the same, Orthanc, its Python and DICOMweb plugins, and DCMTK
#   test              what the tests need besides: validators and Chromium
#   environment       the virtual environment .venv, with the packages of requirements/run.lock
#   environment-demo  the same with those of requirements/demo.lock
#   environment-test  the same with those of requirements/test.lock
#
# Variables: SIDELIGHT_VENV (default .venv), SIDELIGHT_PYTHON (default Debian's),
# SIDELIGHT_TORCH: cpu (default), gpu, or none where no model runs.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=${SIDELIGHT_VENV:-$root/.venv}
torch=${SIDELIGHT_TORCH:-cpu}

python_packages="python3 python3-venv"
# OpenCV, which finds text in pixels, loads libGL and GLib.
system_packages="$python_packages orthanc orthanc-python orthanc-dicomweb dcmtk libgl1 libglib2.0-0"
test_packages="dicom3tools chromium default-jre-headless libpixelmed-java"

say() { printf 'sidelight: %s\n' "$*" >&2; }

missing() {
    for package in "$@"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

install_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        say "this is not a Debian system. Please install: $*"
        exit 1
    fi
    absent=$(missing "$@")
    [ -n "$absent" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        say "not root, and sudo is not to be had without a password. Please run:"
        say "    apt-get install --no-install-recommends $absent"
        exit 1
    fi
    say "installing $absent"
    # Debian's orthanc package starts a service at once. Nobody asked for a PACS on port 8042 yet.
    guard=
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
        $as_root chmod 755 /usr/sbin/policy-rc.d
        guard=yes
    fi
    status=0
    # shellcheck disable=SC2086  # lists of words
    { $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $absent >/dev/null; } || status=$?
    [ -z "$guard" ] || $as_root rm -f /usr/sbin/policy-rc.d
    return "$status"
}

# The Python that Orthanc embeds is Debian's: the environment must be of the same minor version.
find_python() {
    if [ -n "${SIDELIGHT_PYTHON:-}" ]; then
        printf '%s' "$SIDELIGHT_PYTHON"
        return
    fi
    for candidate in /usr/bin/python3 /usr/bin/python3.11; do
        if [ -x "$candidate" ] && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "no Python 3.11 or newer with venv. Please run: apt-get install python3-venv"
    exit 1
}

install_environment() {
    lock=$root/requirements/$1.lock
    stamp=$venv/.sidelight-$1
    torch_lock=$root/requirements/torch-$torch.lock
    digest=$(cat "$lock" "$torch_lock" "$root/pyproject.toml" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ] && return 0
    if [ ! -x "$venv/bin/python" ]; then
        say "making the environment $venv"
        "$(find_python)" -m venv "$venv"
    fi
    say "installing the pinned packages of ${lock##*/} (some minutes the first time)"
    # Tests run as who installs, and load a part of the packages: that part is compiled as it is loaded.
    compile=--compile
    [ "$1" != test ] || compile=--no-compile
    # torch first: asked for by its exact version, pip takes the CPU build where one is at hand.
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$compile" -r "$torch_lock"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$compile" -r "$lock"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$compile" --no-deps --no-build-isolation --editable "$root"
    printf '%s' "$digest" >"$stamp"
}

# Lists of words: each word is one package.
# shellcheck disable=SC2086
install_part() {
    case $1 in
    python) install_packages $python_packages ;;
    system) install_packages $system_packages ;;
    test) install_packages $test_packages ;;
    environment) install_environment run ;;
    environment-demo) install_environment demo ;;
    environment-test) install_environment test ;;
    *)
        say "there is no part $1"
        exit 2
        ;;
    esac
}

for part in "$@"; do
    install_part "$part"
done
