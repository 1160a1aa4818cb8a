"""ONNX files without a library: the wire format of protocol buffers, and of the messages of onnx.proto3 what `star export`
writes. Whatever else stands in a file is refused."""
import os
import struct

# Fields of the messages: number, name, and what they hold: a message, text, bytes or a number; lists end in "*".
MESSAGES = {
    "Model": {1: ("ir_version", int), 2: ("producer", str), 3: ("version", str), 7: ("graph", "Graph"),
              8: ("opsets*", "OpsetId"), 14: ("metadata*", "Entry")},
    "OpsetId": {1: ("domain", str), 2: ("version", int)},
    "Entry": {1: ("key", str), 2: ("value", str)},
    "Graph": {1: ("nodes*", "Node"), 2: ("name", str), 5: ("initializers*", "Tensor"), 10: ("doc", str),
              11: ("inputs*", "ValueInfo"), 12: ("outputs*", "ValueInfo")},
    "Node": {1: ("inputs*", str), 2: ("outputs*", str), 3: ("name", str), 4: ("op", str), 5: ("attributes*", "Attribute")},
    "Attribute": {1: ("name", str), 3: ("i", int), 6: ("g", "Graph"), 8: ("ints*", int), 20: ("type", int)},
    "Tensor": {1: ("dims*", int), 2: ("type", int), 8: ("name", str), 9: ("raw", bytes), 13: ("external*", "Entry"),
               14: ("location", int)},
    "ValueInfo": {1: ("name", str), 2: ("type", "Type")},
    "Type": {1: ("tensor", "TensorType")},
    "TensorType": {1: ("elem_type", int), 2: ("shape", "Shape")},
    "Shape": {1: ("dims*", "Dim")},
    "Dim": {1: ("value", int), 2: ("param", str)},
}
FLOAT, INT64 = 1, 7


class Message:
    def __init__(self, kind, data):
        for name, _ in MESSAGES[kind].values():
            setattr(self, name.rstrip("*"), [] if name.endswith("*") else None)
        at = 0
        while at < len(data):
            key, at = varint(data, at)
            assert key >> 3 in MESSAGES[kind], f"field {key >> 3} of {kind}"
            name, holds = MESSAGES[kind][key >> 3]
            if key & 7 == 0:
                assert holds is int, f"{kind}.{name} is a number"
                value, at = varint(data, at)
                value -= (value >> 63) << 64
            else:
                assert key & 7 == 2 and holds is not int, f"{kind}.{name} has wire type {key & 7}"
                length, at = varint(data, at)
                assert at + length <= len(data), f"{kind}.{name} ends beyond its message"
                part, at = data[at:at + length], at + length
                value = part.decode() if holds is str else part if holds is bytes else Message(holds, part)
            if name.endswith("*"):
                getattr(self, name[:-1]).append(value)
            else:
                assert getattr(self, name) is None, f"{kind}.{name} stands there twice"
                setattr(self, name, value)


def varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_model(path):
    with open(path, "rb") as f:
        return Message("Model", f.read())


def attributes(node):
    """{name: number, list of numbers or graph}."""
    return {a.name: {2: a.i, 5: a.g, 7: a.ints}[a.type] for a in node.attributes}


def shape_of(info):
    """Of an input or output: a list of numbers and names."""
    return [d.param if d.value is None else d.value for d in info.type.tensor.shape.dims]


def place_of(tensor):
    """File, offset and length of a tensor that is external."""
    assert tensor.location == 1 and tensor.raw is None, tensor.name
    place = {e.key: e.value for e in tensor.external}
    assert sorted(place) == ["length", "location", "offset"], place
    return place["location"], int(place["offset"]), int(place["length"])


def data_of(tensor, folder):
    """Its bytes, as little-endian numbers."""
    data = tensor.raw
    if tensor.external:
        name, offset, length = place_of(tensor)
        with open(os.path.join(folder, name), "rb") as f:
            f.seek(offset)
            data = f.read(length)
    letter, width = {FLOAT: ("f", 4), INT64: ("q", 8)}[tensor.type]
    return list(struct.unpack(f"<{len(data) // width}{letter}", data))
