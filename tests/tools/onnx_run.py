"""What an ONNX graph computes, in plain Python: the operators that `star export` writes, each by its definition
(github.com/onnx/onnx, docs/Operators.md), slow and obvious. It judges exported graphs where there is no runtime."""
import itertools
import math
import operator

from onnx_file import FLOAT, attributes, data_of, read_model


class Array:
    """Numbers in row-major order."""

    def __init__(self, shape, data):
        self.shape, self.data = list(shape), list(data)
        assert math.prod(self.shape) == len(self.data), (shape, len(self.data))

    def strides(self):
        return [math.prod(self.shape[i + 1:]) for i in range(len(self.shape))]

    def at(self, index):
        return self.data[sum(i * s for i, s in zip(index, self.strides()))]

    def only(self):
        assert len(self.data) == 1, self.shape
        return self.data[0]


def indices(shape):
    return itertools.product(*map(range, shape))


def made(shape, value):
    return Array(shape, (value(i) for i in indices(shape)))


def broadcast(u, shape):
    """What u is where axes of size 1, or none, stand for any size."""
    shape = list(shape)
    if u.shape == shape:
        return u
    steps = [0] * (len(shape) - len(u.shape)) + [s if n > 1 else 0 for s, n in zip(u.strides(), u.shape)]
    assert all(n in (1, m) for n, m in zip(u.shape[::-1], shape[::-1])), (u.shape, shape)
    places = [0]
    for n, step in zip(shape, steps):
        places = [p + i * step for p in places for i in range(n)]
    return Array(shape, (u.data[p] for p in places))


def common_shape(*arrays):
    rank = max(len(a.shape) for a in arrays)
    padded = [[1] * (rank - len(a.shape)) + a.shape for a in arrays]
    return [next((n for n in sizes if n != 1), 1) for sizes in zip(*padded)]


def elementwise(f):
    def run(attrs, *arrays):
        shape = common_shape(*arrays)
        return Array(shape, map(f, *(broadcast(a, shape).data for a in arrays)))
    return run


def transposed(u, perm):
    strides = u.strides()
    shape, steps = [u.shape[p] for p in perm], [strides[p] for p in perm]
    places = [0]
    for n, step in zip(shape, steps):
        places = [p + i * step for p in places for i in range(n)]
    return Array(shape, (u.data[p] for p in places))


def matmul(attrs, a, b):
    batch = common_shape(Array(a.shape[:-2], [0] * math.prod(a.shape[:-2])), Array(b.shape[:-2], [0] * math.prod(b.shape[:-2])))
    (n, m), (k, p) = a.shape[-2:], b.shape[-2:]
    assert m == k, (a.shape, b.shape)
    left, right = broadcast(a, batch + [n, m]).data, transposed_last(broadcast(b, batch + [m, p])).data
    out = []
    for z in range(math.prod(batch)):
        rows = [left[(z * n + i) * m:(z * n + i + 1) * m] for i in range(n)]
        columns = [right[(z * p + j) * m:(z * p + j + 1) * m] for j in range(p)]
        out += [math.fsum(map(operator.mul, row, column)) for row in rows for column in columns]
    return Array(batch + [n, p], out)


def transposed_last(u):
    rank = len(u.shape)
    return transposed(u, [*range(rank - 2), rank - 1, rank - 2])


def along(u, axis, f):
    """The lists along an axis, each replaced by f of it."""
    axis %= len(u.shape)
    order = [*(i for i in range(len(u.shape)) if i != axis), axis]
    moved, n = transposed(u, order), u.shape[axis]
    rows = [f(moved.data[i * n:(i + 1) * n]) for i in range(math.prod(moved.shape[:-1]))]
    back = [order.index(i) for i in range(len(order))]
    size = len(rows[0]) if rows else n
    return transposed(Array(moved.shape[:-1] + [size], itertools.chain(*rows)), back)


def reduced(f):
    def run(attrs, u, axes):
        assert attrs["keepdims"] == 1
        return along(u, axes.only(), lambda row: [f(row)])
    return run


def softmax(attrs, u):
    def shares(row):
        powers = [math.exp(x - max(row)) for x in row]
        return [p / math.fsum(powers) for p in powers]
    return along(u, attrs["axis"], shares)


def concat(attrs, *parts):
    axis = attrs["axis"] % len(parts[0].shape)
    rest = [p.shape[:axis] + p.shape[axis + 1:] for p in parts]
    assert all(r == rest[0] for r in rest), [p.shape for p in parts]
    before, after = math.prod(parts[0].shape[:axis]), math.prod(parts[0].shape[axis + 1:])
    data = []
    for i in range(before):
        for p in parts:
            width = p.shape[axis] * after
            data += p.data[i * width:(i + 1) * width]
    return Array(parts[0].shape[:axis] + [sum(p.shape[axis] for p in parts)] + parts[0].shape[axis + 1:], data)


def sliced(u, axis, begin, end):
    """With numbers below 0 counted from the end, and those outside brought in."""
    n = u.shape[axis]
    begin, end = (max(0, min(n, i + n if i < 0 else i)) for i in (begin, end))
    return along(u, axis, lambda row: row[begin:end]) if math.prod(u.shape) else u


def split(attrs, u, sizes):
    axis, parts, begin = attrs["axis"] % len(u.shape), [], 0
    for size in sizes.data:
        parts.append(sliced(u, axis, begin, begin + size))
        begin += size
    assert begin == u.shape[axis], (sizes.data, u.shape)
    return parts


def pad(attrs, u, pads, value=None):
    fill, rank = 0 if value is None else value.only(), len(u.shape)
    for axis in range(rank):
        before, after = pads.data[axis], pads.data[rank + axis]
        if before or after:
            u = along(u, axis, lambda row: [fill] * before + row + [fill] * after)
    return u


def reshape(attrs, u, shape):
    return Array([u.shape[i] if n == 0 else n for i, n in enumerate(shape.data)], u.data)


def unsqueeze(attrs, u, axes):
    rank = len(u.shape) + len(axes.data)
    added, sizes = {a % rank for a in axes.data}, iter(u.shape)
    return Array([1 if i in added else next(sizes) for i in range(rank)], u.data)


def squeeze(attrs, u, axes):
    axis = axes.only() % len(u.shape)
    assert u.shape[axis] == 1, u.shape
    return Array(u.shape[:axis] + u.shape[axis + 1:], u.data)


def gather(attrs, u, places):
    axis = attrs.get("axis", 0)
    if axis == 0:
        width = math.prod(u.shape[1:])
        return Array(places.shape + u.shape[1:],
                     itertools.chain(*(u.data[p * width:(p + 1) * width] for p in places.data)))
    return along(u, axis, lambda row: [row[p] for p in places.data])


def conv(attrs, x, w):
    """Of one dimension, each channel by itself."""
    (B, C, L), (groups, one, taps) = x.shape, w.shape
    assert groups == C == attrs["group"] and one == 1, (x.shape, w.shape)
    return made([B, C, L - taps + 1], lambda i: math.fsum(
        x.at((i[0], i[1], i[2] + s)) * w.at((i[1], 0, s)) for s in range(taps)))


def shape(attrs, u):
    part = u.shape[attrs["start"]:attrs["end"]]
    return Array([len(part)], part)


def arange(attrs, begin, end, step):
    numbers = list(range(begin.only(), end.only(), step.only()))
    return Array([len(numbers)], numbers)


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def of_each(f):
    return elementwise(f)


OPERATORS = {
    "Add": of_each(operator.add), "Sub": of_each(operator.sub), "Mul": of_each(operator.mul), "Div": of_each(operator.truediv),
    "Mod": of_each(operator.mod), "Min": of_each(min), "Greater": of_each(operator.gt), "LessOrEqual": of_each(operator.le),
    "And": of_each(operator.and_), "Where": of_each(lambda c, a, b: a if c else b), "Neg": of_each(operator.neg),
    "Exp": of_each(math.exp), "Sqrt": of_each(math.sqrt), "Sin": of_each(math.sin), "Cos": of_each(math.cos),
    "Relu": of_each(lambda x: max(x, 0)), "Sigmoid": of_each(sigmoid), "Softplus": of_each(softplus),
    "Identity": lambda attrs, u: u, "MatMul": matmul, "Softmax": softmax, "Concat": concat, "Split": split, "Pad": pad,
    "Transpose": lambda attrs, u: transposed(u, attrs["perm"]), "Reshape": reshape, "Squeeze": squeeze,
    "Unsqueeze": unsqueeze, "Gather": gather, "Conv": conv, "Shape": shape, "Range": arange,
    "ReduceSum": reduced(math.fsum), "ReduceMean": reduced(lambda row: math.fsum(row) / len(row)),
    "Expand": lambda attrs, u, shape: broadcast(u, shape.data),
    "Slice": lambda attrs, u, begin, end, axes: sliced(u, axes.only(), begin.only(), end.only()),
    "Cast": lambda attrs, u: Array(u.shape, map(float if attrs["to"] == FLOAT else int, u.data)),
}


def run_graph(graph, values):
    """Adds what the nodes compute to the values; those that leave the graph."""
    for node in graph.nodes:
        inputs = [values[name] if name else None for name in node.inputs]
        attrs = attributes(node)
        if node.op == "Scan":
            results = scan(attrs, values, *inputs)
        else:
            results = OPERATORS[node.op](attrs, *inputs)
        for name, value in zip(node.outputs, results if isinstance(results, list) else [results], strict=True):
            values[name] = value
    return [values[info.name] for info in graph.outputs]


def scan(attrs, values, state, *sequences):
    """The body for one token after the other; sequences and results have the tokens in axis 1."""
    body = attrs["body"]
    assert attrs["scan_input_axes"] == [1] * len(sequences) == [1] * attrs["num_scan_inputs"]
    assert attrs["scan_output_axes"] == [1]
    results = []
    for t in range(sequences[0].shape[1]):
        token = [squeeze({}, sliced(u, 1, t, t + 1), Array([1], [1])) for u in sequences]
        names = [info.name for info in body.inputs]
        state, y = run_graph(body, {**values, **dict(zip(names, [state, *token], strict=True))})
        results.append(unsqueeze({}, y, Array([1], [1])))
    return [state, concat({"axis": 1}, *results)]


class Session:
    """A model of a folder, as a runtime would have it."""

    def __init__(self, path, folder):
        self.graph = read_model(path).graph
        self.weights = {t.name: Array(t.dims, data_of(t, folder)) for t in self.graph.initializers}
        self.inputs, self.outputs = ([i.name for i in side] for side in (self.graph.inputs, self.graph.outputs))

    def run(self, given):
        assert sorted(given) == sorted(self.inputs), (sorted(given), self.inputs)
        return dict(zip(self.outputs, run_graph(self.graph, {**self.weights, **given})))
