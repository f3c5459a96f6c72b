# SPDX-License-Identifier: Apache-2.0
# The PHI zone: Orthanc with Sidelight's plugin, its workers and its web process. No model runs here.
FROM debian:12-slim

COPY . /opt/sidelight
WORKDIR /opt/sidelight
RUN PIP_NO_CACHE_DIR=1 SIDELIGHT_TORCH=none docker/install.sh system environment \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sidelight \
    && usermod --uid 10001 --append --groups sidelight orthanc \
    && install -d -o orthanc -g sidelight -m 2770 /run/sidelight \
    && install -d -o orthanc -g orthanc -m 0700 /var/lib/orthanc/db-v6 \
    && rm -f /etc/orthanc/*.json \
    && cp docker/orthanc.container.json /etc/orthanc/orthanc.json

# Without it every C-STORE answer waits 43 ms (docs/operation.md).
ENV TCP_NODELAY=1
USER 10001
EXPOSE 8042 4242
VOLUME ["/var/lib/orthanc/db-v6"]
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["/opt/sidelight/.venv/bin/python", "/opt/sidelight/docker/health.py", "http://127.0.0.1:8042/sidelight/status"]
CMD ["/usr/sbin/Orthanc", "/etc/orthanc"]
