#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pins all packages, also those that are only needed indirectly. torch has a lock of its own, because
# which build of the one release is wanted (CPU or CUDA) is the site's choice.
set -eu
cd "$(dirname "$0")/.."
compile() {
    target=$1
    shift
    uv pip compile --quiet --python-version 3.11 --no-header --no-annotate "$@" \
        -o "requirements/$target"
}
compile run.lock pyproject.toml requirements/build.in
compile demo.lock --extra demo pyproject.toml requirements/build.in
compile test.lock --extra demo --extra train --extra test pyproject.toml requirements/build.in
# torch itself pins the CUDA packages that its GPU build needs.
compile torch-needs.lock requirements/torch-needs.in -c requirements/test.lock
for build in cpu gpu; do
    { echo "torch==2.13.0"; cat requirements/torch-needs.lock; } >"requirements/torch-$build.lock"
done
rm requirements/torch-needs.lock
