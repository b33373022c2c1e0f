"""Small VGGs written in each true file format, and a forward pass in their own layout."""

import struct

import h5py
import numpy as np
import scipy.io
import scipy.signal
import torch

from elrcn.config import VGGConfig

CONFIG = VGGConfig(size=8, convs=(1, 2), widths=(4, 6), fc=10, dropout=0.5)
NAMES = ("conv1_1", "conv2_1", "conv2_2", "fc6", "fc7", "fc8")
CLASSES = 7


def native_layers(seed=0):
    """(weight HWIO or (rows in H, W, C order, out), bias) by name."""
    rng = np.random.default_rng(seed)
    shapes = ((3, 3, 3, 4), (3, 3, 4, 6), (3, 3, 6, 6), (24, 10), (10, 10), (10, CLASSES))
    return {
        name: (
            rng.normal(0, 0.4, shape).astype(np.float32),
            rng.normal(0, 0.1, shape[-1]).astype(np.float32),
        )
        for name, shape in zip(NAMES, shapes, strict=True)
    }


def native_forward(layers, image):
    """fc7 after ReLU of one image (H, W, 3), in double precision, by scipy's correlation."""
    x = image.astype(float)
    for block in (("conv1_1",), ("conv2_1", "conv2_2")):
        for name in block:
            weight, bias = layers[name]
            maps = [
                sum(
                    scipy.signal.correlate2d(x[..., i], weight[..., i, o], mode="same")
                    for i in range(weight.shape[2])
                )
                for o in range(weight.shape[3])
            ]
            x = np.maximum(np.stack(maps, -1) + bias, 0)
        height, width, depth = x.shape
        x = x.reshape(height // 2, 2, width // 2, 2, depth).max((1, 3))
    x = x.ravel()
    for name in ("fc6", "fc7"):
        x = np.maximum(x @ layers[name][0] + layers[name][1], 0)
    return x


def oihw(layers):
    """The same network in torch's layout: OIHW, fc6 over C, H, W."""
    out = {}
    for name, (weight, bias) in layers.items():
        if weight.ndim == 4:
            weight = np.einsum("hwio->oihw", weight)
        elif name == "fc6":
            weight = np.einsum("hwco->ochw", weight.reshape(2, 2, 6, -1)).reshape(10, 24)
        else:
            weight = weight.T
        out[name] = (np.ascontiguousarray(weight), bias)
    return out


def write_pth(path, layers, names=NAMES, **options):
    state = {}
    for key, (weight, bias) in zip(names, oihw(layers).values(), strict=True):
        state[f"{key}.weight"], state[f"{key}.bias"] = map(torch.from_numpy, (weight, bias))
    torch.save(state, path, **options)


def write_torchvision(path, layers):
    names = ["features.0", "features.3", "features.5", "classifier.0", "classifier.3"]
    write_pth(path, layers, [*names, "classifier.6"])


def as_convolutions(layers):
    """Fully connected layers as convolutions, HWIO: MatConvNet's and deepface's way."""
    out = dict(layers)
    out["fc6"] = (layers["fc6"][0].reshape(2, 2, 6, 10), layers["fc6"][1])
    for name in ("fc7", "fc8"):
        out[name] = (layers[name][0][None, None], layers[name][1])
    return out


def write_mat5(path, layers, old=False):
    cells = []
    for name, (weight, bias) in as_convolutions(layers).items():
        if old:
            layer = {"type": "conv", "name": name, "filters": weight, "biases": bias[None]}
        else:
            pair = np.empty((1, 2), object)
            pair[0, 0], pair[0, 1] = weight, bias[:, None]
            layer = {"type": "conv", "name": name, "weights": pair, "pad": [1, 1, 1, 1]}
        cells += [layer, {"type": "relu", "name": f"relu_{name}"}]
    cells.append({"type": "softmax", "name": "prob"})
    array = np.empty((1, len(cells)), object)
    array[0] = cells
    scipy.io.savemat(path, {"net": {"layers": array}} if old else {"layers": array})


def write_mat73(path, layers):
    with h5py.File(path, "w", userblock_size=512) as file:
        hidden = file.create_group("#refs#")
        references = []

        def cell(name, values):
            dataset = hidden.create_dataset(name, (len(values), 1), h5py.ref_dtype)
            dataset[:, 0] = values
            return dataset

        for name, (weight, bias) in as_convolutions(layers).items():
            group = hidden.create_group(name)
            group["type"] = np.array([[ord(c)] for c in "conv"], np.uint16)
            pair = [
                hidden.create_dataset(f"{name}_w", data=weight.T).ref,
                hidden.create_dataset(f"{name}_b", data=bias[:, None].T).ref,
            ]
            group["weights"] = cell(f"{name}_cell", pair)
            relu = hidden.create_group(f"relu_{name}")
            relu["type"] = np.array([[ord(c)] for c in "relu"], np.uint16)
            references += [group.ref, relu.ref]
        layers_cell = file.create_dataset("layers", (len(references), 1), h5py.ref_dtype)
        layers_cell[:, 0] = references
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_keras(path, layers, names, split=False):
    with h5py.File(path, "w") as file:
        every = []
        for name, (weight, bias) in zip(names, layers.values(), strict=True):
            group = file.create_group(name)
            group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = weight, bias
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            empty = f"{name}_dropout"
            file.create_group(empty).attrs["weight_names"] = np.array([], "S1")
            every += [name.encode(), empty.encode()]
        if split:
            file.attrs["layer_names0"], file.attrs["layer_names1"] = every[:4], every[4:]
        else:
            file.attrs["layer_names"] = every


def write_deepface(path, layers):
    names = ["conv2d", *(f"conv2d_{i}" for i in range(1, 6))]
    write_keras(path, as_convolutions(layers), names, split=True)


def write_rcmalli(path, layers):
    write_keras(path, layers, NAMES[: len(layers)])


class Torch7Writer:
    """Torch7's binary serialization, as its File.lua writes it."""

    def __init__(self):
        self.out, self.next = bytearray(), 1

    def int(self, *values):
        self.out += struct.pack(f"<{len(values)}i", *values)

    def long(self, *values):
        self.out += struct.pack(f"<{len(values)}q", *values)

    def string(self, text):
        self.int(len(text))
        self.out += text.encode()

    def index(self):
        self.int(self.next)
        self.next += 1

    def value(self, value):
        if value is None:
            self.int(0)
        elif isinstance(value, bool):
            self.int(5, int(value))
        elif isinstance(value, (int, float)):
            self.int(1)
            self.out += struct.pack("<d", value)
        elif isinstance(value, str):
            self.int(2)
            self.string(value)
        elif isinstance(value, np.ndarray):
            self.tensor(value)
        elif callable(value):
            self.int(8)
            self.index()
            self.string("\x1bLua bytes that must not run")
            self.value({})
        elif isinstance(value, dict):
            self.int(3)
            self.index()
            self.int(len(value))
            for key, inner in value.items():
                self.value(key)
                self.value(inner)
        else:
            self.header(value[0])
            self.value(value[1])

    def header(self, kind):
        self.int(4)
        self.index()
        self.string("V 1")
        self.string(kind)

    def tensor(self, array):
        self.header("torch.FloatTensor")
        self.int(array.ndim)
        self.long(*array.shape)
        self.long(*(s // 4 for s in array.strides))
        self.long(1)
        self.header("torch.FloatStorage")
        self.long(array.size)
        self.out += array.astype("<f4").tobytes()


def write_t7(path, layers):
    modules, number = {}, 1.0
    for name, (weight, bias) in oihw(layers).items():
        kind = "nn.SpatialConvolution" if weight.ndim == 4 else "nn.Linear"
        if name == "conv2_2":
            kind, weight = "nn.SpatialConvolutionMM", weight.reshape(len(weight), -1)
        fields = {"weight": weight, "bias": bias, "train": False, "hook": print, "gradBias": None}
        modules[number] = (kind, fields)
        modules[number + 1] = ("nn.ReLU", {"inplace": True, "threshold": 0})
        number += 2
    writer = Torch7Writer()
    writer.value(("nn.Sequential", {"modules": modules, "_type": "torch.FloatTensor"}))
    path.write_bytes(writer.out)


#: Name, writer, channel order of the images the file's network was trained on.
FORMATS = {
    "vgg_face_dag.pth": (write_pth, "rgb"),
    "legacy.pth": (
        lambda p, layers: write_pth(p, layers, _use_new_zipfile_serialization=False),
        "rgb",
    ),
    "vgg16-imagenet.pth": (write_torchvision, "rgb"),
    "VGG_FACE.t7": (write_t7, "bgr"),
    "vgg_face.mat": (write_mat5, "rgb"),
    "vgg_face_old.mat": (lambda p, layers: write_mat5(p, layers, old=True), "rgb"),
    "vgg_face_73.mat": (write_mat73, "rgb"),
    "vgg_face_weights.h5": (write_deepface, "rgb"),
    "rcmalli_vggface_tf_vgg16.h5": (write_rcmalli, "bgr"),
}
