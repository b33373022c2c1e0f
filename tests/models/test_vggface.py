import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
import weight_files as files
from safetensors.torch import save_file

from elrcn.errors import ElrcnError
from elrcn.models.networks import VGG
from elrcn.models.weights import convert_vggface, load_weights, read_torch7, read_vggface

IMAGE = np.random.default_rng(1).uniform(0, 255, (8, 8, 3))


def ours(path, image, order="auto"):
    model = VGG(files.CONFIG, 3, 5).train(False)
    state = read_vggface(path, files.CONFIG, order)
    model.load_state_dict({k: v for k, v in state.items() if not k.startswith("fc8")}, strict=False)
    with torch.no_grad():
        return model.features(torch.from_numpy(image.transpose(2, 0, 1)[None]).float())[0].numpy()


@pytest.mark.parametrize("name", files.FORMATS)
def test_activations_equal_an_independent_forward_pass(tmp_path, name):
    write, order = files.FORMATS[name]
    layers = files.native_layers()
    write(tmp_path / name, layers)
    # The file's network sees the picture in its own channel order, ours sees red first.
    native = files.native_forward(layers, IMAGE[..., ::-1] if order == "bgr" else IMAGE)
    assert native.any()
    np.testing.assert_allclose(ours(tmp_path / name, IMAGE), native, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", files.FORMATS)
def test_the_name_does_not_matter_the_bytes_do(tmp_path, name):
    files.FORMATS[name][0](tmp_path / name, files.native_layers())
    renamed = (tmp_path / name).rename(tmp_path / "weights.bin")
    state = read_vggface(renamed, files.CONFIG)
    assert state["fc8.weight"].shape == (files.CLASSES, 10)
    assert all(v.dtype == torch.float32 and v.is_contiguous() for v in state.values())


def test_channel_order_is_an_option(tmp_path):
    path = tmp_path / "vgg_face_weights.h5"
    layers = files.native_layers()
    files.write_deepface(path, layers)
    rgb, bgr = (ours(path, IMAGE, order) for order in ("rgb", "bgr"))
    np.testing.assert_allclose(rgb, files.native_forward(layers, IMAGE), rtol=1e-4, atol=1e-3)
    flipped = files.native_forward(layers, IMAGE[..., ::-1])
    np.testing.assert_allclose(bgr, flipped, rtol=1e-4, atol=1e-3)
    with pytest.raises(ElrcnError, match="channel order"):
        read_vggface(path, files.CONFIG, "gbr")


def test_conversion_is_kept_and_loads(tmp_path):
    path = tmp_path / "VGG_FACE.t7"
    files.write_t7(path, files.native_layers())
    converted = convert_vggface(path, tmp_path / "cache", files.CONFIG)
    stamp = converted.stat().st_mtime_ns
    assert convert_vggface(path, tmp_path / "cache", files.CONFIG) == converted
    assert converted.stat().st_mtime_ns == stamp
    assert json.loads(converted.with_suffix(".json").read_text())["source"] == "VGG_FACE.t7"
    model = VGG(files.CONFIG, 3, 5)
    load_weights(model, converted)
    assert torch.equal(model.fc7.weight, read_vggface(path, files.CONFIG)["fc7.weight"])
    again = read_vggface(converted, files.CONFIG, "rgb")
    assert torch.equal(again["conv1_1.weight"], model.conv1_1.weight)


@pytest.mark.parametrize("name", files.FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_files(tmp_path, name, share):
    path = tmp_path / name
    files.FORMATS[name][0](path, files.native_layers())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ElrcnError) as caught:
        convert_vggface(path, tmp_path / "cache", files.CONFIG)
    assert caught.value.where == path and caught.value.fix
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", files.FORMATS)
def test_another_network(tmp_path, name):
    path = tmp_path / name
    files.FORMATS[name][0](path, files.native_layers())
    for config in (
        replace(files.CONFIG, widths=(4, 8)),
        replace(files.CONFIG, fc=12),
        replace(files.CONFIG, size=16),
        replace(files.CONFIG, convs=(2, 2)),
        replace(files.CONFIG, convs=(1, 1)),
    ):
        with pytest.raises(ElrcnError):
            read_vggface(path, config)


def test_notop_says_so(tmp_path):
    path = tmp_path / "rcmalli_vggface_tf_notop_vgg16.h5"
    layers = files.native_layers()
    files.write_rcmalli(path, {k: v for k, v in layers.items() if k.startswith("conv")})
    with pytest.raises(ElrcnError, match="lacks the layers fc6, fc7") as caught:
        read_vggface(path, files.CONFIG)
    assert "notop" in caught.value.fix


def test_without_the_last_layer(tmp_path):
    path = tmp_path / "headless.h5"
    layers = files.native_layers()
    del layers["fc8"]
    files.write_rcmalli(path, layers)
    assert "fc8.weight" not in read_vggface(path, files.CONFIG)


class Bomb:
    def __reduce__(self):
        return (print, ("boom",))


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    path = tmp_path / "bomb.pth"
    for zipped in (True, False):
        torch.save({"conv1_1.weight": Bomb()}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ElrcnError, match="more than tensors"):
            read_vggface(path, files.CONFIG)
    assert "boom" not in capsys.readouterr().out


def test_other_files(tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"hello", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x04\x00\x00\x00" * 9):
        path.write_bytes(content)
        with pytest.raises(ElrcnError):
            read_vggface(path, files.CONFIG)
    with pytest.raises(ElrcnError, match="no weights file"):
        read_vggface(tmp_path, files.CONFIG)
    with pytest.raises(ElrcnError, match="no weights file"):
        convert_vggface(tmp_path / "none.pth", tmp_path)
    save_file({"something": torch.zeros(3)}, path)
    with pytest.raises(ElrcnError, match="lacks the layers"):
        read_vggface(path, files.CONFIG)
    torch.save([torch.zeros(3)], path)
    with pytest.raises(ElrcnError, match="no state dict"):
        read_vggface(path, files.CONFIG)


def test_values_not_finite(tmp_path):
    path = tmp_path / "w.pth"
    layers = files.native_layers()
    layers["fc7"][0][3, 3] = np.nan
    files.write_pth(path, layers)
    with pytest.raises(ElrcnError, match="finite"):
        read_vggface(path, files.CONFIG)


def test_torch7_shares_objects_and_checks_bounds(tmp_path):
    path = tmp_path / "a.t7"
    path.write_bytes(struct.pack("<iiiid", 3, 1, 1, 1, 2.0) + struct.pack("<ii", 3, 1))
    table = read_torch7(path)
    assert table[2.0] is table
    writer = files.Torch7Writer()
    writer.value(np.arange(6, dtype=np.float32).reshape(2, 3))
    path.write_bytes(writer.out)
    np.testing.assert_array_equal(read_torch7(path), [[0, 1, 2], [3, 4, 5]])
    damaged = bytes(writer.out).replace(struct.pack("<qq", 2, 3), struct.pack("<qq", 2, 300))
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="beyond its storage"):
        read_torch7(path)
    path.write_bytes(struct.pack("<iiiid", 3, 1, 1, 1, 1.0) * 1)
    with pytest.raises(ValueError, match="too early"):
        read_torch7(path)
