# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ``Sidelight`` section of Orthanc's configuration, validated.

Keys are written as Orthanc writes its own (``PascalCase``). Every key has a default; a key that
does not exist, or a value of the wrong type or out of range, is an error that names the key, the
value and what is allowed.
"""

from plugin.configuration.reading import ConfigurationError, read
from plugin.configuration.reference import reference
from plugin.configuration.whole import Configuration

__all__ = ["Configuration", "ConfigurationError", "read", "reference"]
