# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle is what somebody vouched for: signed (Ed25519, RFC 8032), or pinned by digest.

``signature.json`` lies beside ``model.json``. What is signed is the name, the version and the
digest, which covers ``model.json``, the weights and the program; the model card is not covered.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from inference.manifest import BundleError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "signature.json"

Vouched = Literal["pinned", "signed", "unsigned"]


class KeyFileError(Exception):
    """A key can't be used; the message says why."""


class Signature(BaseModel):
    """``signature.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    algorithm: Literal["ed25519"]
    digest: str
    key: str
    signature: str


class Named(Protocol):
    """What ``model.json`` of every kind says of itself."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """Its version."""


class Signable(Protocol):
    """The identity of a bundle, as it is signed."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    @property
    def manifest(self) -> Named:
        """Its ``model.json``."""

    @property
    def digest(self) -> str:
        """Of all that decides what it answers."""


def _message(bundle: Signable) -> bytes:
    """The bytes that are signed."""
    m = bundle.manifest
    return "\n".join(("sidelight bundle 1", m.name, m.version, bundle.digest)).encode()


@dataclass(frozen=True)
class Trust:
    """What a site requires of bundles.

    Attributes
    ----------
    pinned:
        Digests that are right for a bundle of a name; others of that name are refused.
    keys:
        Public keys, base64 of 32 bytes, whose signatures count.
    require:
        Refuse bundles that are neither pinned nor signed by one of the keys.
    """

    pinned: Mapping[str, Collection[str]] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    require: bool = False

    def check(self, bundle: Signable) -> Vouched:
        """How a bundle is vouched for.

        Raises
        ------
        BundleError
            It was altered, or nobody whom the site trusts vouches for it.
        """
        pins = self.pinned.get(bundle.manifest.name)
        if pins is not None and bundle.digest not in pins:
            raise BundleError("its digest is not the pinned one; it was altered or updated")
        signature = read_signature(bundle.folder)
        if signature is not None:
            _verify(bundle, signature)
        if pins is not None:
            return "pinned"
        if signature is not None and signature.key in self.keys:
            return "signed"
        if self.require:
            what = "signed by a key that is not trusted here" if signature else "not signed"
            raise BundleError(
                f"it is {what}; add its key to Inference.TrustedKeys or its digest to "
                "Inference.PinnedDigests"
            )
        return "unsigned"


def read_signature(folder: Path) -> Signature | None:
    """The signature of a bundle; None if it has none.

    Raises
    ------
    BundleError
        It has one that can't be read.
    """
    try:
        text = (folder / SIGNATURE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{SIGNATURE} can't be read: {error.strerror}") from error
    try:
        return Signature.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(f"{SIGNATURE} is damaged; sign the bundle again") from error


def _verify(bundle: Signable, signature: Signature) -> None:
    # Looked up here: most bundles are unsigned, and the service starts sooner without.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature.key, validate=True))
        key.verify(base64.b64decode(signature.signature, validate=True), _message(bundle))
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise BundleError("its signature does not fit its content; it was altered") from error


def sign(bundle: Signable, key_file: Path) -> Signature:
    """Sign a bundle, and write ``signature.json`` into it.

    Raises
    ------
    KeyFileError
        The private key can't be read.
    """
    key = _private_key(key_file)
    signature = Signature(
        format=1,
        algorithm="ed25519",
        digest=bundle.digest,
        key=_text(key.public_key().public_bytes_raw()),
        signature=_text(key.sign(_message(bundle))),
    )
    unfinished = bundle.folder / (SIGNATURE + ".part")
    unfinished.write_text(json.dumps(signature.model_dump(), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(bundle.folder / SIGNATURE)
    return signature


def make_key(path: Path) -> str:
    """Write a new private key (PKCS 8, PEM) that only its owner can read; the public one, base64.

    Raises
    ------
    FileExistsError
        There is a file already; keys are never overwritten.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(text)
    return _text(key.public_key().public_bytes_raw())


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyFileError(f"{path.name} can't be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path.name} is no unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(
            f"{path.name} is no Ed25519 key; make one with 'sidelight models keygen'"
        )
    return key


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
