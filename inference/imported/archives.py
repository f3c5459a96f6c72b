# SPDX-License-Identifier: Apache-2.0
"""What a file of a model may hold, checked before any library reads it.

A pickle runs whatever code it names; no file is ever given to one. TorchScript archives have
pickles of their own format that torch's C++ reader takes apart without Python: only the names of
tensors and of TorchScript's classes may occur in them. Exported programs name their operators, and
their shapes as expressions that torch evaluates: both are held to a list, and the parts that torch
would unpickle are replaced.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference.imported.errors import ModelImportError, PickleRefusedError

_NO_PICKLE = (
    "is a pickle, or holds one, and reading it would run code that it carries; save the state dict "
    "as safetensors (safetensors.torch.save_file(model.state_dict(), …)) on a machine where you "
    "trust the file, and import that"
)

# What torch.jit.save itself writes into data.pkl and constants.pkl.
_SCRIPT_GLOBALS = re.compile(
    r"__torch__[\w.]*|torch\.jit\._pickle \w+|torch\._utils (_rebuild_tensor_v2|_rebuild_parameter)"
    r"|torch (\w+Storage|device)|collections OrderedDict"
)
_OPERATORS = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|torch\.(sym_min|sym_max|sym_sqrt|sym_int|sym_float|sym_ite|sym_not)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|getitem|eq|ne|lt|le|gt|ge|and_|or_|pow)"
)
# Sums, products and quotients of sizes, and the functions that torch prints for them.
_EXPRESSION = re.compile(r"([\w\s+\-*/()<>=!&|,]|'\w+')*")
_FUNCTIONS = re.compile(
    r"(Symbol|Integer|Rational|Add|Mul|Pow|positive|integer|nonnegative|real|Eq|Ne|Ge|Gt|Le|Lt|And|Or|Not|Min|Max|Mod|PythonMod|FloorDiv|CleanDiv|IntTrueDiv|ToFloat"
    r"|TruncToInt|CeilToInt|FloorToInt|VR|oo|int_oo|[suz]\d+|u\d+|\d+|true|false|True|False)"
)
_DANGEROUS = ("aten::save", "aten::from_file", "aten::_load_for_lite_interpreter")

_SAMPLE_INPUTS = re.compile(r".*/data/sample_inputs/[^/]+\.pt")
_PROGRAM = re.compile(r".*/models/[^/]+\.json")
_PAYLOADS = re.compile(r".*/data/(weights|constants)/[^/]+_config\.json")
_HARMLESS = re.compile(
    r".*/(data/(weights|constants)/(weight|tensor)_\d+|archive_format|archive_version|byteorder"
    r"|version|\.data/\w+|\.format_version)"
)
_MOST_JSON = 256 << 20


def refuse_pickle(path: Path) -> None:
    """Refuse a file that is a bare pickle or a torch checkpoint of more than tensors.

    Raises
    ------
    PickleRefusedError
        With what to do.
    """
    try:
        import torch  # noqa: PLC0415 - only imports load torch

        torch.load(path, map_location="meta", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:
        raise PickleRefusedError(f"{path.name} {_NO_PICKLE}") from error


def check_torchscript(path: Path) -> None:
    """Check the pickles of a TorchScript archive without loading it.

    Raises
    ------
    PickleRefusedError
        One names something that TorchScript's own writer does not.
    ModelImportError
        It is no TorchScript archive.
    """
    with _archive(path) as archive:
        names = archive.namelist()
        if not any("/code/" in name for name in names):
            raise ModelImportError(f"{path.name} is no TorchScript archive")
        for name in names:
            if name.endswith(".pkl"):
                for found in _globals(archive.read(name)):
                    if not _SCRIPT_GLOBALS.fullmatch(found):
                        raise PickleRefusedError(f"{path.name} {_NO_PICKLE}")


def check_script_operators(module: Any, name: str) -> None:
    """Refuse a loaded TorchScript module that reads or writes files.

    Raises
    ------
    ModelImportError
        With the operator.
    """
    for operator in sorted(set(_script_operators(module.inlined_graph))):
        space = operator.split("::")[0]
        if operator in _DANGEROUS or space not in ("aten", "prim"):
            raise ModelImportError(
                f"{name} uses the operator {operator}, which an image model has no need of; "
                "export it without"
            )


def _script_operators(block: Any) -> Iterator[str]:
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from _script_operators(inner)


def safe_exported_program(path: Path) -> bytes:
    """An exported program (``torch.export.save``) without what torch would unpickle or execute.

    Raises
    ------
    PickleRefusedError
        Weights are stored as pickles.
    ModelImportError
        It is none, is older than the format of torch 2.8, or uses operators beside ATen.
    """
    out = io.BytesIO()
    with _archive(path) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as safe:
        if not any(_PROGRAM.fullmatch(name) for name in archive.namelist()):
            raise ModelImportError(
                f"{path.name} is no exported program that this version reads; save it again with "
                "torch.export.save of torch 2.8 or later"
            )
        for name in archive.namelist():
            safe.writestr(name, _safe_part(name, archive.read(name), path.name))
    return out.getvalue()


def _safe_part(name: str, content: bytes, file: str) -> bytes:
    if _SAMPLE_INPUTS.fullmatch(name):
        return _no_inputs()
    if _PAYLOADS.fullmatch(name):
        return _only_raw(content, file)
    if _PROGRAM.fullmatch(name):
        return _safe_program(content, file)
    if _HARMLESS.fullmatch(name):
        return content
    raise ModelImportError(f"{file} holds {Path(name).name}, which a plain exported model has not")


def _no_inputs() -> bytes:
    import torch  # noqa: PLC0415

    buffer = io.BytesIO()
    torch.save(((), {}), buffer)
    return buffer.getvalue()


def _only_raw(content: bytes, file: str) -> bytes:
    for entry in json.loads(content).get("config", {}).values():
        if entry.get("use_pickle") is not False or not entry.get("tensor_meta"):
            raise PickleRefusedError(f"{file} {_NO_PICKLE}")
    return content


def _safe_program(content: bytes, file: str) -> bytes:
    if len(content) > _MOST_JSON:
        raise ModelImportError(f"{file} describes its graph in more than {_MOST_JSON >> 20} MiB")
    program = json.loads(content)
    # Guards are Python source that torch executes; shapes are checked by the engine instead.
    program["guards_code"] = []
    _clean(program, file)
    return json.dumps(program).encode()


def _clean(part: Any, file: str) -> None:
    """Check operators and expressions at any depth; drop source lines and module paths."""
    if isinstance(part, list):
        for item in part:
            _clean(item, file)
    elif isinstance(part, dict):
        if "target" in part and "metadata" in part:
            _check_operator(str(part["target"]), file)
            part["metadata"] = {}
        expression = part.get("expr_str")
        if isinstance(expression, str):
            _check_expression(expression, file)
        for value in part.values():
            _clean(value, file)


def _check_operator(target: str, file: str) -> None:
    if not _OPERATORS.fullmatch(target) or target.startswith("torch.ops.aten.from_file"):
        raise ModelImportError(
            f"{file} uses the operator {target[:80]}; export the model with ATen operators only"
        )


def _check_expression(expression: str, file: str) -> None:
    words = re.findall(r"\w+", expression)
    if not _EXPRESSION.fullmatch(expression) or not all(map(_FUNCTIONS.fullmatch, words)):
        raise ModelImportError(f"{file} has a size that is no plain arithmetic; export it again")


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelImportError(f"{path.name} is no archive that torch writes") from error


def _globals(pickled: bytes) -> Iterator[str]:
    """Every global that a pickle names, as ``module name``."""
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield module if module.startswith("__torch__") else f"{module} {name}"
            elif opcode.name == "STACK_GLOBAL":
                yield " ".join(strings[-2:])
            elif isinstance(argument, str):
                strings.append(argument)
    except ValueError:
        yield "a damaged pickle"
