# SPDX-License-Identifier: Apache-2.0
"""``sidelight deid vault`` and ``deid return``: the way back, for those who may."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deid.errors import DeidentificationError, OutputError, UnknownLinkError, VaultAccessError
from deid.source_files import SourceFile, sources
from deid.vault import Role, Vault
from deid.vault.links import Links
from deid.vault.originals import KINDS
from deid.vault.passphrases import passphrase_of
from deid.vault.returning import referenced, returned, study_of
from deid.vault.roles import HOLDS_ENTRIES

vault = typer.Typer(help="Originals sealed by pseudonym: create, reveal, link, audit.")

Kind = StrEnum("Kind", {kind.upper(): kind for kind in KINDS})  # type: ignore[misc]

VaultFile = Annotated[Path, typer.Argument(metavar="VAULT", dir_okay=False)]
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
By = Annotated[str, typer.Option(help="Who asks; goes into the audit.")]
Reason = Annotated[str, typer.Option(help="Why; goes into the audit.")]


@vault.callback(no_args_is_help=True)
def _vault() -> None:
    """Originals sealed by pseudonym.

    Pass-phrases are asked for, or come from SIDELIGHT_VAULT_CURATOR, _REIDENTIFIER, _AUDITOR
    and _LINK.
    """


@vault.command()
def create(
    file: VaultFile,
    project: Annotated[str, typer.Option(help="Every entry is bound to it.")],
) -> None:
    """Make an empty VAULT with a pass-phrase for each role."""
    try:
        Vault.create(file, project, {role: passphrase_of(role, new=True) for role in Role})
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error


@vault.command()
def passphrase(file: VaultFile, role: Role) -> None:
    """Give a role a new pass-phrase (asked for, or from SIDELIGHT_VAULT_NEW)."""
    try:
        with Vault.open(file, role, passphrase_of(role)) as opened:
            opened.change_passphrase(passphrase_of("new", new=True))
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error


@vault.command()
def rotate(file: VaultFile, by: By, reason: Reason) -> None:
    """Seal all entries under a new key, for curator and re-identifier with new pass-phrases.

    They are asked for, or come from SIDELIGHT_VAULT_NEW_CURATOR and _NEW_REIDENTIFIER.
    """
    try:
        with Vault.open(file, Role.CURATOR, passphrase_of(Role.CURATOR)) as opened:
            holders = sorted(HOLDS_ENTRIES)
            passphrases = {role: passphrase_of(f"new_{role}", new=True) for role in holders}
            count = opened.rotate(passphrases, by, reason)
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"{count} entries sealed under a new key: destroy older copies of the vault")


@vault.command()
def reveal(file: VaultFile, kind: Kind, pseudonym: str, by: By, reason: Reason) -> None:
    """Print what a pseudonym stands for."""
    try:
        with _reidentifier(file) as opened:
            typer.echo(opened.reveal(kind.value, pseudonym, by, reason))
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error


@vault.command()
def link(
    file: VaultFile,
    study: Annotated[str, typer.Argument(help="Pseudonymous Study Instance UID.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The link file.")],
    by: By,
    reason: Reason,
) -> None:
    """Write the link file of a study, under a pass-phrase of its own."""
    try:
        with _reidentifier(file) as opened:
            opened.links(study, by, reason).save(out, passphrase_of("link", new=True))
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error


@vault.command()
def audit(file: VaultFile) -> None:
    """Check the audit, then print it: time, role, who, what, reason."""
    try:
        with Vault.open(file, Role.AUDITOR, passphrase_of(Role.AUDITOR)) as opened:
            records = opened.audit()
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    for record in records:
        told = (record.time, record.role, record.by, record.action, record.subject, record.reason)
        typer.echo("\t".join(map(_on_one_line, told)))


def _on_one_line(text: str) -> str:
    """What a person wrote, without line ends and tabs that would pass for records and fields."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def give_back(
    source: Annotated[Path, typer.Argument(metavar="RESULTS", exists=True)],
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder, made if missing.")],
    vault_file: Annotated[Path | None, typer.Option("--vault", help="The vault, or")] = None,
    link_file: Annotated[Path | None, typer.Option("--link", help="the study's link file.")] = None,
    by: By = "",
    reason: Reason = "",
) -> None:
    """Bring results made from de-identified studies back to the original patients.

    Ends with status 1 if one of them belongs to no study of vault or link file.
    """
    if (vault_file is None) == (link_file is None):
        raise typer.BadParameter("give either --vault or --link")
    console = Console(stderr=True)
    try:
        if link_file is not None:
            way = _Way(link=Links.load(link_file, passphrase_of("link")))
        else:
            way = _Way(vault=_reidentifier(vault_file or Path()), asked=(by, reason))
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    done, failed = 0, 0
    for file in sources(source):
        try:
            _return_one(file, way, out)
            done += 1
        except VaultAccessError as error:
            raise typer.BadParameter(str(error)) from error
        except OutputError as error:
            console.print(f"stopped after {done} results: {error}")
            raise typer.Exit(3) from error
        except DeidentificationError as error:
            failed += 1
            console.print(f"{type(error).__name__}: {error}")
    way.close()
    console.print(f"{done} returned, {failed} not")
    if failed:
        raise typer.Exit(1)


class _Way:
    """Leads from a study back to its original; each study is asked for, and audited, once."""

    def __init__(
        self,
        link: Links | None = None,
        vault: Vault | None = None,
        asked: tuple[str, str] = ("", ""),
    ) -> None:
        self._known = {link.study: link} if link else {}
        self._vault = vault
        self._asked = asked

    def back_for(self, content: bytes) -> Links:
        """The links of a result: those of its study, and of the patient's others it refers to."""
        links = self._of(study_of(content))
        if self._vault is None:
            return links
        others = self._vault.studies_with(referenced(content) - set(links.uids))
        more = [other for other in map(self._of, others) if _same_patient(other, links)]
        uids = {uid: original for one in (*more, links) for uid, original in one.uids.items()}
        return replace(links, uids=uids)

    def _of(self, study: str) -> Links:
        if study not in self._known:
            if self._vault is None:
                raise UnknownLinkError("the result belongs to another study than the link")
            self._known[study] = self._vault.links(study, *self._asked)
        return self._known[study]

    def close(self) -> None:
        if self._vault is not None:
            self._vault.close()


def _same_patient(one: Links, other: Links) -> bool:
    number = ("PatientID", "IssuerOfPatientID")
    told = [tuple(links.original.get(keyword, "") for keyword in number) for links in (one, other)]
    return told[0] == told[1] and bool(told[0][0])


def _return_one(file: SourceFile, way: _Way, out: Path) -> None:
    content = file.read()
    result = returned(content, way.back_for(content))
    place = out / f"{result.instance}.dcm"
    unfinished = place.with_suffix(".part")
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It names the patient: for nobody but who asked, and whole under its name.
        with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb") as stream:
            stream.write(result.content)
        unfinished.replace(place)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise OutputError(f"can't write to the output folder: {error.strerror}") from None


def _reidentifier(file: Path) -> Vault:
    return Vault.open(file, Role.REIDENTIFIER, passphrase_of(Role.REIDENTIFIER))
