#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pins all packages, also those that are only needed indirectly. torch has a lock of its own, because
# which build of the one release is wanted (CPU or CUDA) is the site's choice.
set -eu
cd "$(dirname "$0")/.."
compile() {
    target=$1
    shift
    uv pip compile --quiet --python-version 3.11 --no-emit-package torch --no-header \
        --no-annotate "$@" pyproject.toml requirements/build.in -o "requirements/$target"
    # torch's own needs that are not already there are pinned with the rest.
}
compile run.lock --extra cpu
compile demo.lock --extra cpu --extra demo
compile test.lock --extra cpu --extra demo --extra test
