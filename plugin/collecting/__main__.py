# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.collecting``: puts headers aside at quiet hours, where asked to."""

from __future__ import annotations

import logging
import time

from plugin.collecting.nightly import AGAIN_SECONDS, Nightly, nightly_for
from plugin.collecting.notebook import NotebookError
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries

LOGGER = logging.getLogger(__name__)


def main() -> None:
    """Collect until Orthanc ends."""
    quiet_libraries()
    _assembled(receive()).run_forever()


def _assembled(handover: Handover) -> Nightly:
    handover.site_key.awaited()
    while True:
        try:
            return nightly_for(handover)
        except NotebookError as error:
            LOGGER.warning("waiting: %s", error)
        time.sleep(AGAIN_SECONDS)


if __name__ == "__main__":
    main()
