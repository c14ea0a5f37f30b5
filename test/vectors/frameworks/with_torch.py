"""torch.json: forward and backward by torch's autograd, the live torch.nn.BatchNorm*d, and torch's folding."""

import numpy as np
import torch
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from vectors import Book, axes_of, elements, f32, random, shaped

book = Book("torch", ["numpy", "torch"])

# No value before a relu may be so near 0 that the rounding of f32 could take it to the other side.
MARGIN = 1e-3

VIEWS = [
    ([5, 3], -1, ["mild", "offset 1e6"]),
    ([2, 3, 4, 5], 1, ["offset 1e4", "mixed"]),
    ([2, 2, 3, 5], -1, ["offset 1e6", "a constant channel"]),
    ([7, 1, 3], -1, ["mixed", "small"]),
    ([7, 1, 3], 1, ["offset 1e4"]),
    ([3, 17], -1, ["mixed", "big"]),
    ([3, 17], 0, ["offset 1e6"]),
    ([1, 4], -1, ["mild"]),
    ([1, 3, 1, 1], 1, ["offset 1e6"]),
    ([2, 3, 4, 2], [1, 3], ["mixed"]),
    ([3, 5, 2], [0, -1], ["offset 1e4"]),
    ([4, 5], [], ["offset 1e6"]),
    ([67, 2], -1, ["offset 1e4", "offset 1e6"]),
]
RESIDUAL_VIEWS = [
    ([5, 3], -1, "mild"),
    ([2, 3, 2, 4], 1, "offset 1e4"),
    ([3, 7], -1, "mixed"),
    ([3, 5, 2], [0, -1], "offset 1e6"),
]
# Weights have a shape that broadcasts to x.
WEIGHTED_VIEWS = [
    ([9, 4], -1, "mild", [9, 1]),
    ([9, 4], -1, "offset 1e6", [9, 4]),
    ([4, 3, 1, 5], 1, "offset 1e4", [4, 1, 1, 1]),
    ([4, 3, 1, 5], 1, "mixed", [4, 1, 1, 5]),
    ([3, 6, 2], [0, -1], "offset 1e6", [3, 6, 1]),
    ([2, 5, 3], [], "offset 1e4", [5, 3]),
]
FORMS = [(True, True), (True, False), (False, True), (False, False)]


def tensor(values, grad=True):
    return None if values is None else torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def rows(x, axis):
    """Each channel's elements as a row."""
    kept = axes_of(axis, x.ndim)
    order = [*kept, *(each for each in range(x.ndim) if each not in kept)]
    moved = x.permute(order)
    sizes = moved.shape
    channels = int(np.prod(sizes[: len(kept)], dtype=int))

    def back(values):
        return values.reshape(sizes).permute([int(each) for each in np.argsort(order)])

    return moved.reshape(channels, -1), back


def statistics(values, weights=None):
    """Of each row, as the textbook has it."""
    if weights is None:
        mean = values.mean(1)
        return mean, ((values - mean[:, None]) ** 2).mean(1)
    total = weights.sum(1)
    mean = (weights * values).sum(1) / total
    return mean, (weights * (values - mean[:, None]) ** 2).sum(1) / total


def normalize(x, dy, case):
    """What is due, and the least magnitude before a relu."""
    axis, epsilon = case["axis"], case["epsilon"]
    frozen = case.get("mean") is not None
    leaves = {name: tensor(case.get(name)) for name in ["gamma", "beta", "mean", "variance"]}
    leaf = tensor(x)
    values, back = rows(leaf, axis)
    ones = torch.ones(len(values), dtype=torch.float64)
    # Absent ones get gradients too.
    gamma = (ones if leaves["gamma"] is None else leaves["gamma"]).detach().requires_grad_()
    beta = (0 * ones if leaves["beta"] is None else leaves["beta"]).detach().requires_grad_()
    weights = case.get("weights")
    if weights is not None:
        weights = rows(torch.tensor(np.broadcast_to(weights, x.shape).copy()), axis)[0]
    mean, variance = (leaves["mean"], leaves["variance"]) if frozen else statistics(values, weights)
    by_hand = (values - mean[:, None]) / torch.sqrt(variance + epsilon)[:, None] * gamma[:, None] + beta[:, None]
    running = [mean.detach(), variance.detach()] if frozen else [None, None]
    if frozen:
        y = by_hand
        fused = torch.batch_norm(values[None], gamma, beta, *running, False, 0, epsilon, False)[0]
        assert torch.allclose(fused, y, rtol=1e-9, atol=1e-9)
    elif weights is not None:
        y = by_hand
    else:
        y = torch.batch_norm(values[None], gamma, beta, *running, True, 0, epsilon, False)[0]
        if epsilon > 0:
            assert torch.allclose(by_hand, y, rtol=1e-7, atol=1e-7)
    y = back(y)
    residual = tensor(case.get("residual"))
    if residual is not None:
        y = y + residual
    least = y.detach().abs().min().item()
    if case["activation"] == "relu":
        y = torch.relu(y)
    y.backward(torch.tensor(dy))
    due = {"y": y, "dx": leaf.grad, "dgamma": gamma.grad, "dbeta": beta.grad}
    if frozen:
        due |= {"dmean": leaves["mean"].grad, "dvariance": leaves["variance"].grad}
    else:
        due |= {"mean": mean, "variance": variance}
    if residual is not None:
        due["dresidual"] = residual.grad
    return {name: value.detach().numpy().ravel() for name, value in due.items()}, least


def describe(shape, axis, *rest):
    return ", ".join([f"{shape} axis {axis}", *(each for each in rest if each)])


def parameters(seed, channels, form):
    """γ of either sign, β away from 0: a constant channel is β before its relu."""
    dice = random(seed)
    gamma = np.round(dice.uniform(0.5, 2, channels) * dice.choice([-1, 1], channels), 4)
    beta = np.round(dice.uniform(0.1, 1, channels) * dice.choice([-1, 1], channels), 4)
    return {"gamma": gamma if form[0] else None, "beta": beta if form[1] else None}


def slope(shape):
    name = f"dy {shape}"
    return book.array(name, f32(random(name).standard_normal(shape)))


def given_statistics(x, axis, seed):
    """Statistics that are not those of x, as those of a running average are not."""
    values = rows(torch.tensor(x), axis)[0]
    mean, variance = (each.numpy() for each in statistics(values))
    dice = random(seed)
    shifted = mean + 0.3 * np.sqrt(variance) * dice.standard_normal(len(mean))
    scaled = np.where(variance == 0, 0.5, variance * dice.uniform(0.5, 1.5, len(mean)))
    return {"mean": shifted, "variance": scaled}


def add_normalize(kind, name, x, dy, base, make):
    """Looks for parameters that keep off the corner of a relu, and keeps the case."""
    for attempt in range(1000):
        case = {**base, **make(f"{name} {attempt}")}
        slopes = book.arrays[dy]
        if case.get("weights") is not None:
            # A loss that leaves out what has weight 0 has no slope there.
            slopes = np.where(np.broadcast_to(case["weights"], x.shape) == 0, 0, slopes)
        due, least = normalize(x, slopes, case)
        if case["activation"] is None or least > MARGIN:
            break
    else:
        raise ValueError(f"{name}: too near the corner")
    if case.get("weights") is not None:
        case["weights"] = shaped(case["weights"])
    if case.get("residual") is not None:
        case["residual"] = book.array(f"residual of {name}", case["residual"])
    book.add(kind, {"name": name, **case, "due": due})


def normalize_cases():
    number = 0
    for shape, axis, families in VIEWS:
        for family in families:
            x_name = describe(shape, axis, family)
            x = elements(family, shape, axis, x_name)
            channels = len(rows(torch.tensor(x), axis)[0])
            for frozen, activation in [(False, None), (False, "relu"), (True, None), (True, "relu")]:
                # Two of the four where a shape has two families.
                if len(families) > 1 and (frozen != (activation == "relu")) != (family == families[0]):
                    continue
                # A relu needs β to keep off its corner.
                form = FORMS[number % 4] if activation is None else FORMS[2 * (number % 2)]
                number += 1
                if channels == np.prod(shape):
                    form = (form[0], True)
                base = {
                    "x": book.array(x_name, x),
                    "dy": slope(shape),
                    "axis": axis,
                    "epsilon": 1e-33 if family == "small" else [1e-3, 1e-5][number % 2],
                    "activation": activation,
                    "mean": None,
                    "variance": None,
                }

                def make(seed):
                    given = given_statistics(x, axis, x_name) if frozen else {}
                    return {**given, **parameters(seed, channels, form)}

                name = describe(shape, axis, family, "given statistics" if frozen else "", activation)
                add_normalize("normalize", name, x, base["dy"], base, make)


def constant_without_epsilon():
    shape = [4, 2]
    x = f32(np.stack([np.full(4, 0.1), random("constant").standard_normal(4)], 1))
    name = "a constant channel, epsilon 0"
    base = {"x": book.array(name, x), "dy": slope(shape), "axis": -1, "epsilon": 0, "activation": None}
    base |= {"mean": None, "variance": None}
    add_normalize("normalize", name, x, base["dy"], base, lambda seed: parameters(seed, 2, (True, True)))


def residual_cases():
    for shape, axis, family in RESIDUAL_VIEWS:
        x_name = describe(shape, axis, family)
        x = elements(family, shape, axis, x_name)
        channels = len(rows(torch.tensor(x), axis)[0])
        for frozen, activation in [(False, None), (False, "relu"), (True, "relu")]:
            base = {
                "x": book.array(x_name, x),
                "dy": slope(shape),
                "axis": axis,
                "epsilon": 1e-3,
                "activation": activation,
                "mean": None,
                "variance": None,
            }

            def make(seed):
                given = given_statistics(x, axis, x_name) if frozen else {}
                residual = f32(random(f"residual {seed}").standard_normal(shape))
                return {**given, **parameters(seed, channels, (True, True)), "residual": residual}

            name = describe(shape, axis, family, "given statistics" if frozen else "", "residual", activation)
            add_normalize("residualNormalize", name, x, base["dy"], base, make)


def weighted_cases():
    for number, (shape, axis, family, weights_shape) in enumerate(WEIGHTED_VIEWS):
        x_name = describe(shape, axis, family)
        x = elements(family, shape, axis, x_name)
        channels = len(rows(torch.tensor(x), axis)[0])
        dice = random(f"weights {x_name}")
        mask = (dice.uniform(size=weights_shape) < 0.7).astype(float)
        mask.flat[:2] = [1, 0]
        fractions = f32(mask * dice.uniform(0.2, 3, weights_shape))
        for kind, weights in [("mask", mask), ("weights", fractions)]:
            activation = [None, "relu"][(number + (kind == "mask")) % 2]
            base = {
                "x": book.array(x_name, x),
                "dy": slope(shape),
                "axis": axis,
                "epsilon": 1e-3,
                "activation": activation,
                "mean": None,
                "variance": None,
                "weights": weights,
            }
            name = describe(shape, axis, family, f"{kind} {weights_shape}", activation)
            add_normalize(
                "weightedNormalize", name, x, base["dy"], base, lambda seed: parameters(seed, channels, (True, True))
            )
    shape, axis = [9, 4], -1
    x_name = describe(shape, axis, "mild")
    x = book.arrays[x_name]
    name = describe(shape, axis, "mild", "mask [9, 1]", "residual", "relu")
    base = {"x": x_name, "dy": slope(shape), "axis": axis, "epsilon": 1e-3, "activation": "relu"}
    base |= {"mean": None, "variance": None, "weights": np.array([1.0, 0, 1, 1, 0, 1, 1, 1, 0])[:, None]}

    def make(seed):
        residual = f32(random(f"residual {seed}").standard_normal(shape))
        return {**parameters(seed, 4, (True, True)), "residual": residual}

    add_normalize("weightedNormalize", name, x, base["dy"], base, make)


LAYERS = [
    (torch.nn.BatchNorm1d, [[5, 3], [2, 3], [8, 3], [3, 3]], "mild", {"momentum": 0.1}),
    (torch.nn.BatchNorm1d, [[2, 3, 5], [1, 3, 2], [3, 3, 4]], "offset 1e4", {"momentum": 0.3}),
    (torch.nn.BatchNorm2d, [[2, 3, 2, 5], [1, 3, 2, 3], [2, 3, 1, 1], [1, 3, 4, 3]], "offset 1e6", {"momentum": None}),
    (torch.nn.BatchNorm3d, [[1, 3, 2, 3, 2], [2, 3, 1, 2, 2], [1, 3, 2, 2, 1]], "mild", {"momentum": 0.1}),
    (torch.nn.BatchNorm1d, [[4, 6], [3, 6], [5, 6]], "mixed", {"momentum": 0.25, "affine": False}),
    (torch.nn.BatchNorm2d, [[2, 2, 3, 3], [2, 2, 2, 2]], "a constant channel", {"momentum": 0.1, "eps": 1e-3}),
]


def layer_cases():
    for kind, shapes, family, options in LAYERS:
        channels = shapes[0][1]
        name = f"{kind.__name__}, {', '.join(f'{key} {value}' for key, value in options.items())}, {family}"
        layer = kind(channels, dtype=torch.float64, **options)
        affine = options.get("affine", True)
        initial = parameters(name, channels, (affine, affine))
        if affine:
            layer.load_state_dict(
                {**layer.state_dict(), "weight": tensor(initial["gamma"]), "bias": tensor(initial["beta"])}
            )
        own = {"epsilon": layer.eps, "momentum": options["momentum"], "scale": affine, "center": affine}
        steps = []
        # The last one does not train.
        for step, shape in enumerate([*shapes, shapes[0]]):
            layer.train(step < len(shapes))
            x_name = f"{name}, step {step}"
            x = tensor(book.arrays[book.array(x_name, elements(family, shape, 1, x_name))])
            mean, variance = statistics(rows(x, 1)[0])
            if not layer.training:
                mean, variance = layer.running_mean, layer.running_var
            y = layer(x)
            dy = slope(shape)
            layer.zero_grad()
            y.backward(torch.tensor(book.arrays[dy]))
            due = {"y": y, "dx": x.grad, "mean": mean, "variance": variance}
            due |= {"runningMean": layer.running_mean, "runningVariance": layer.running_var}
            if affine:
                due |= {"dgamma": layer.weight.grad, "dbeta": layer.bias.grad}
            due = {key: value.detach().numpy().ravel().copy() for key, value in due.items()}
            steps.append({"x": x_name, "dy": dy, "training": layer.training, "due": due})
        case = {
            "name": name,
            "convention": "torch",
            "channels": channels,
            "options": {**own, **initial},
            "steps": steps,
        }
        book.add("layers", case)


# From oihw to hwio, and from iohw to hwoi.
LAST = [2, 3, 1, 0]


def normalization(seed, channels, form):
    dice = random(seed)
    mean, variance = np.round(dice.standard_normal(channels), 4), np.round(dice.uniform(0.2, 2, channels), 4)
    return {**parameters(seed, channels, form), "mean": mean, "variance": variance, "epsilon": 1e-5}


def fused(weights, bias, bn, transpose=False):
    """torch's weights and bias."""
    arguments = [tensor(weights, False), tensor(bias, False)]
    arguments += [tensor(bn["mean"], False), tensor(bn["variance"], False), bn["epsilon"]]
    arguments += [tensor(bn["gamma"], False), tensor(bn["beta"], False)]
    if weights.ndim == 2:
        result = fuse_linear_bn_weights(*arguments)
    else:
        result = fuse_conv_bn_weights(*arguments, transpose=transpose)
    return [each.detach().numpy() for each in result]


def add_fold(name, layout, groups, weights, bias, bn, due):
    book.add(
        "folds",
        {
            "name": f"{layout}, {name}",
            "layout": layout,
            "groups": groups,
            "weights": shaped(weights),
            "bias": bias,
            "normalization": bn,
            "due": {"weights": due[0].ravel(), "bias": due[1]},
        },
    )


def same_as_apart(function, weights, bias, bn, due, x):
    """That the folded layer is the layer and then batch_norm."""
    both = [tensor(bn[each], False) for each in ["mean", "variance", "gamma", "beta"]]
    apart = torch.batch_norm(
        function(x, tensor(weights, False), tensor(bias, False)),
        both[2],
        both[3],
        both[0],
        both[1],
        False,
        0,
        bn["epsilon"],
        False,
    )
    assert torch.allclose(function(x, tensor(due[0], False), tensor(due[1], False)), apart, rtol=1e-9, atol=1e-9)


def fold_cases():
    dice = random("folds")

    def some(*shape):
        return f32(dice.standard_normal(shape))

    def bias_of(count, present):
        return np.round(dice.standard_normal(count), 4) if present else None

    # Linear has gamma and beta always: fuse_linear_bn_weights takes no None for them.
    for name, present in [("with a bias", True), ("without a bias", False)]:
        weights, bias, bn = some(5, 3), bias_of(5, present), normalization(f"dense {name}", 5, (True, True))
        due = fused(weights, bias, bn)
        same_as_apart(torch.nn.functional.linear, weights, bias, bn, due, torch.tensor(some(4, 3)))
        add_fold(name, "oi", None, weights, bias, bn, due)
        add_fold(name, "io", None, weights.T.copy(), bias, bn, [due[0].T, due[1]])
    for name, present, form in [
        ("gamma, beta, bias", True, (True, True)),
        ("no gamma, beta or bias", False, (False, False)),
    ]:
        weights, bias, bn = some(4, 3, 2, 2), bias_of(4, present), normalization(f"conv {name}", 4, form)
        due = fused(weights, bias, bn)
        same_as_apart(torch.nn.functional.conv2d, weights, bias, bn, due, torch.tensor(some(2, 3, 5, 4)))
        add_fold(name, "oihw", None, weights, bias, bn, due)
        add_fold(name, "hwio", None, weights.transpose(LAST), bias, bn, [due[0].transpose(LAST), due[1]])
        weights, bias, bn = some(3, 4, 2, 2), bias_of(4, present), normalization(f"transposed {name}", 4, form)
        due = fused(weights, bias, bn, transpose=True)
        same_as_apart(torch.nn.functional.conv_transpose2d, weights, bias, bn, due, torch.tensor(some(2, 3, 5, 4)))
        add_fold(f"transposed, {name}", "iohw", None, weights, bias, bn, due)
        add_fold(
            f"transposed, {name}", "hwoi", None, weights.transpose(LAST), bias, bn, [due[0].transpose(LAST), due[1]]
        )

    def grouped(groups, function):
        return lambda x, weights, bias: function(x, weights, bias, groups=groups)

    # Groups of a convolution: [6 out, 4 in / 2, 2, 2].
    weights, bias, bn = some(6, 2, 2, 2), bias_of(6, True), normalization("groups", 6, (True, True))
    due = fused(weights, bias, bn)
    same_as_apart(grouped(2, torch.nn.functional.conv2d), weights, bias, bn, due, torch.tensor(some(2, 4, 5, 4)))
    add_fold("two groups", "oihw", 2, weights, bias, bn, due)
    add_fold("two groups", "hwio", 2, weights.transpose(LAST), bias, bn, [due[0].transpose(LAST), due[1]])
    # Of a transposed one, [4 in, 6 out / 2, 2, 2]: torch folds it for one group alone, so each group by itself.
    weights, bias, bn = some(4, 3, 2, 2), bias_of(6, True), normalization("transposed groups", 6, (True, True))
    halves = []
    for group in range(2):
        own = slice(3 * group, 3 * group + 3)
        part = {key: value if np.ndim(value) == 0 else value[own] for key, value in bn.items()}
        halves.append(fused(weights[2 * group : 2 * group + 2], bias[own], part, transpose=True))
    due = [np.concatenate(each) for each in zip(*halves)]
    same_as_apart(
        grouped(2, torch.nn.functional.conv_transpose2d), weights, bias, bn, due, torch.tensor(some(2, 4, 5, 4))
    )
    add_fold("transposed, two groups", "iohw", 2, weights, bias, bn, due)
    # Depthwise: output channel i·M + m; torch has [i·M, 1, h, w].
    weights, bias, bn = some(6, 1, 2, 3), bias_of(6, True), normalization("depthwise", 6, (True, True))
    due = fused(weights, bias, bn)
    same_as_apart(grouped(3, torch.nn.functional.conv2d), weights, bias, bn, due, torch.tensor(some(2, 3, 5, 4)))

    def to_hwim(values):
        return values.reshape(3, 2, 2, 3).transpose(2, 3, 0, 1)

    add_fold("depthwise", "hwim", None, to_hwim(weights), bias, bn, [to_hwim(due[0]), due[1]])


if __name__ == "__main__":
    torch.set_num_threads(1)
    normalize_cases()
    constant_without_epsilon()
    residual_cases()
    weighted_cases()
    layer_cases()
    fold_cases()
    book.write()
