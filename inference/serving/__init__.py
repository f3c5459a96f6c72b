# SPDX-License-Identifier: Apache-2.0
"""The parts of the inference service (``inference/service.py``), one question each.

Nothing is imported here, so that the service opens its socket before torch is loaded.
"""
