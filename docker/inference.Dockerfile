# SPDX-License-Identifier: Apache-2.0
# The de-identified zone: the models behind a Unix socket. No network is needed, and none is used.
FROM debian:12-slim

ARG SIDELIGHT_TORCH=cpu
# An index with CPU builds of torch keeps the image small; PyPI's Linux wheel brings CUDA along.
ARG PIP_EXTRA_INDEX_URL=
COPY . /opt/sidelight
WORKDIR /opt/sidelight
RUN PIP_NO_CACHE_DIR=1 PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" SIDELIGHT_TORCH="$SIDELIGHT_TORCH" \
        docker/install.sh python environment \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sidelight \
    && useradd --uid 10002 --gid sidelight --no-create-home --shell /usr/sbin/nologin inference \
    && install -d -o inference -g sidelight -m 2770 /run/sidelight

USER 10002
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["/opt/sidelight/.venv/bin/python", "/opt/sidelight/docker/health.py", "unix:/run/sidelight/inference.sock"]
CMD ["/opt/sidelight/.venv/bin/python", "-m", "inference.service", "--socket", "/run/sidelight/inference.sock", "--socket-mode", "0660", "--models", "/opt/sidelight/inference/models"]
