# SPDX-License-Identifier: Apache-2.0
"""Whatever a file carries, nothing of it is run by importing it, or by serving a bundle."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from inference.bundles import BundleError, read_bundle
from inference.imported.archives import safe_exported_program
from inference.imported.errors import ModelImportError, PickleRefusedError
from inference.imported.importer import ImportRequest, chest_category, import_model
from tests.inference.imported.small_models import CLASSES, SIZE, exported, torchscript


class Evil:
    """Leaves a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (Path.touch, (Path(self.marker),))


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "ran"


def made(path, tmp_path):
    request = ImportRequest(path=path, category=chest_category(), classes=CLASSES, size=SIZE)
    return import_model(request, tmp_path / "bundle")


def rewritten(path, change):
    """The archive with its entries passed through ``change(name, content)``."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(name, change(name, content))
    return path


def graph(change):
    def changed(name, content):
        if not name.endswith("models/model.json"):
            return content
        program = json.loads(content)
        change(program)
        return json.dumps(program).encode()

    return changed


@pytest.mark.parametrize("name", ["model.pt", "densenet121-res224-all.pt", "plain.pkl"])
def test_a_pickle_is_refused_with_what_to_do_and_is_not_run(name, tmp_path, marker):
    path = tmp_path / name
    if name.endswith(".pkl"):
        path.write_bytes(pickle.dumps(Evil(marker)))
    else:
        torch.save({"state_dict": Evil(marker)}, path)
    with pytest.raises(PickleRefusedError, match=rf"{name}.*safetensors"):
        made(path, tmp_path)
    assert not marker.exists()


def test_a_torchscript_archive_whose_pickle_names_anything_else_is_refused(tmp_path, marker):
    path = torchscript(tmp_path / "a.ts")
    evil = pickle.dumps(Evil(marker), protocol=2)
    rewritten(path, lambda name, content: evil if name.endswith("data.pkl") else content)
    with pytest.raises(PickleRefusedError):
        made(path, tmp_path)
    assert not marker.exists()


def test_example_inputs_of_an_exported_program_are_never_unpickled(tmp_path, marker):
    path = exported(tmp_path / "a.pt2")
    inputs = tmp_path / "inputs.pt"
    torch.save((Evil(marker),), inputs)
    evil = inputs.read_bytes()
    rewritten(path, lambda name, content: evil if "sample_inputs" in name else content)
    assert made(path, tmp_path).engine.predict is not None
    assert not marker.exists()


def test_weights_stored_as_pickles_are_refused(tmp_path):
    path = exported(tmp_path / "a.pt2")

    def change(name, content):
        if not name.endswith("weights_config.json"):
            return content
        return content.replace(b'"use_pickle": false', b'"use_pickle": true')

    with pytest.raises(PickleRefusedError):
        made(rewritten(path, change), tmp_path)


@pytest.mark.parametrize(
    "target",
    ["torch.os.system", "torch.load", "torch.hub.load", "torch.ops.aten.from_file.default",
     "math.sqrt", "#symbolic", "torch.ops.mine.run.default"],
)  # fmt: skip
def test_an_operator_beside_aten_is_refused_with_its_name(target, tmp_path):
    path = exported(tmp_path / "a.pt2")
    change = graph(lambda p: p["graph_module"]["graph"]["nodes"][0].update(target=target))
    with pytest.raises(ModelImportError, match=target.replace(".", r"\.")):
        made(rewritten(path, change), tmp_path)


def test_a_size_that_is_an_expression_of_python_is_refused(tmp_path, marker):
    path = exported(tmp_path / "a.pt2")
    evil = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def change(name, content):
        if not name.endswith("models/model.json"):
            return content
        text = content.decode()
        start = text.index('"expr_str": "') + len('"expr_str": "')
        return (text[:start] + evil + text[text.index('"', start) :]).encode()

    with pytest.raises(ModelImportError, match="no plain arithmetic"):
        made(rewritten(path, change), tmp_path)
    assert not marker.exists()


def test_guards_which_torch_would_execute_are_dropped(tmp_path):
    path = exported(tmp_path / "a.pt2")
    rewritten(path, graph(lambda p: p.update(guards_code=["raise SystemExit"])))
    content = safe_exported_program(path)
    assert b"SystemExit" not in content


def test_a_program_exchanged_in_a_bundle_is_checked_again_when_it_is_served(tmp_path):
    bundle = made(exported(tmp_path / "a.pt2"), tmp_path)
    program = bundle.folder / "network.pt2"
    change = graph(lambda p: p["graph_module"]["graph"]["nodes"][0].update(target="torch.load"))
    rewritten(program, change)
    with pytest.raises(BundleError, match=r"operator torch\.load"):
        read_bundle(bundle.folder).engine  # noqa: B018 - loads it


def test_a_torchscript_that_reads_files_is_refused(tmp_path):
    class Reader(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.from_file("x", False, 2).expand(images.shape[0], 2)

    with pytest.raises(ModelImportError, match="aten::from_file"):
        made(torchscript(tmp_path / "a.ts", Reader()), tmp_path)


@pytest.mark.parametrize("name", ["a.ts", "a.pt2", "a.onnx"])
def test_a_damaged_file_is_named(name, tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ModelImportError, match=path.suffix):
        made(path, tmp_path)
