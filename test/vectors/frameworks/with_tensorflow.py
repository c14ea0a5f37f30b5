"""tensorflow.json: tf.nn's functions in float64, gradients by GradientTape, and the fused op.

The fused op has no float64. Its layers are computed by tf.nn's functions, and the op in float32 has to agree with them
to the digits that it has.
"""

import numpy as np
import tensorflow as tf

from vectors import Book, axes_of, elements, f32, random, shaped

book = Book("tensorflow", ["numpy", "tensorflow-cpu"])


def constant(values):
    return tf.constant(np.asarray(values, dtype=np.float64))


def some_x(shape, axis, family):
    name = f"{shape} axis {axis}, {family}"
    return book.array(name, elements(family, shape, axis, name))


def pair(mean, variance):
    return {"mean": shaped(mean.numpy()), "variance": shaped(variance.numpy())}


MOMENTS = [
    ([5, 3], -1, "mild", [0], False),
    ([5, 3], -1, "offset 1e4", [0], True),
    ([5, 3], [], "offset 1e6", None, False),
    ([5, 3], [], "mild", None, True),
    ([5, 3], 0, "offset 1e6", [1], False),
    ([5, 3], -1, "mild", [], False),
    ([3, 17], -1, "mixed", [0], False),
    ([3, 17], 0, "offset 1e4", [-1], True),
    ([7, 1, 3], -1, "small", [0, 1], False),
    ([7, 1, 3], [0, 2], "offset 1e6", [1], False),
    ([7, 1, 3], 1, "big", [2, 0], True),
    ([2, 3, 4, 5], 1, "offset 1e6", [0, 2, 3], False),
    ([2, 3, 4, 5], 1, "a constant channel", [0, 2, 3], True),
    ([2, 3, 4, 5], -1, "mixed", [0, 1, 2], False),
    ([2, 3, 4, 5], [0, 2], "offset 1e4", [1, -1], False),
    ([2, 3, 4, 5], [0, 1], "offset 1e6", [2, 3], True),
    ([2, 3, 4, 5], [0, 3], "mixed", [1, 2], False),
    ([1, 4], -1, "offset 1e6", [0], False),
    ([130, 3], -1, "offset 1e4", [0], False),
    ([1, 2, 150], 1, "offset 1e6", [0, 2], False),
]


def moments_cases():
    for shape, axis, family, axes, keep in MOMENTS:
        x = some_x(shape, axis, family)
        mean, variance = tf.nn.moments(
            constant(book.arrays[x]), list(range(len(shape))) if axes is None else axes, keepdims=keep
        )
        name = f"{shape} over {'all axes' if axes is None else axes}, {family}{', keepDims' if keep else ''}"
        book.add("moments", {"name": name, "x": x, "axes": axes, "keepDims": keep, "due": pair(mean, variance)})


WEIGHTED = [
    ([7, 3], -1, "mild", [0], False, [7, 1]),
    ([7, 3], -1, "offset 1e6", [0], True, [3]),
    ([7, 3], -1, "offset 1e4", [0], False, [7, 3]),
    ([7, 3], [], "offset 1e4", None, False, [3]),
    ([7, 3], [], "mild", None, False, []),
    ([4, 3, 2, 5], 1, "offset 1e6", [0, 2, 3], False, [4, 1, 1, 1]),
    ([4, 3, 2, 5], 1, "mixed", [0, 2, 3], True, [1, 3, 1, 1]),
    ([4, 3, 2, 5], 1, "offset 1e4", [0, 2, 3], False, [4, 1, 2, 5]),
    ([4, 3, 2, 5], -1, "offset 1e6", [0, 1, 2], False, [2, 1]),
    ([4, 3, 2, 5], -1, "a constant channel", [0, 1, 2], False, [4, 3, 2, 1]),
    ([4, 3, 2, 5], -1, "mixed", [0, 1, 2], False, [4, 3, 2, 5]),
    ([4, 3, 2, 5], [0, 3], "offset 1e6", [1, 2], True, [4, 3, 1, 1]),
    ([70, 3], -1, "offset 1e4", [0], False, [70, 1]),
]


def weighted_cases():
    for shape, axis, family, axes, keep, weights_shape in WEIGHTED:
        x = some_x(shape, axis, family)
        over = list(range(len(shape))) if axes is None else axes
        for kind in ["mask", "weights"]:
            dice = random(f"{kind} {x} {weights_shape}")
            weights = f32(dice.uniform(0.1, 4, weights_shape))
            if kind == "mask":
                # None that leaves a statistic without an element.
                while True:
                    weights = (dice.uniform(size=weights_shape) < 0.7).astype(float)
                    if np.all(np.broadcast_to(weights, shape).sum(axis=tuple(axes_of(over, len(shape)))) > 0):
                        break
                if np.all(weights == 1):
                    continue
            mean, variance = tf.nn.weighted_moments(constant(book.arrays[x]), over, constant(weights), keepdims=keep)
            name = f"{x}, over {over}, {kind} {weights_shape}{', keepDims' if keep else ''}"
            case = {"name": name, "x": x, "axes": axes, "keepDims": keep, "weights": shaped(weights)}
            book.add("weightedMoments", {**case, "due": pair(mean, variance)})


SUFFICIENT = [
    ([5, 3], -1, "mild", [0], False, None),
    ([5, 3], -1, "offset 1e4", [0], False, [3]),
    ([5, 3], [], "offset 1e6", None, False, []),
    ([5, 3], [], "mild", None, True, None),
    ([2, 3, 4, 5], 1, "offset 1e6", [0, 2, 3], True, [1, 3, 1, 1]),
    ([2, 3, 4, 5], 1, "mixed", [0, 2, 3], True, [1, 3, 1, 1]),
    ([2, 3, 4, 5], -1, "a constant channel", [0, 1, 2], False, [5]),
    ([2, 3, 4, 5], -1, "offset 1e4", [0, 1, 2], False, None),
    ([7, 1, 3], -1, "small", [0, 1], False, None),
    ([3, 17], -1, "big", [0], False, [17]),
]


def sufficient_cases():
    for shape, axis, family, axes, keep, shift_shape in SUFFICIENT:
        x = some_x(shape, axis, family)
        over = list(range(len(shape))) if axes is None else axes
        values = constant(book.arrays[x])
        shift = None
        if shift_shape is not None:
            # Near the mean, as it is meant to be.
            near = tf.reduce_mean(values, over, keepdims=True).numpy()
            spread = tf.math.reduce_std(values, over, keepdims=True).numpy()
            shift = f32(near + 0.4 * spread).reshape(shift_shape)
        count, mean_ss, variance_ss, _ = tf.nn.sufficient_statistics(
            values, over, None if shift is None else constant(shift), keepdims=keep
        )
        distance = values if shift is None else values - constant(shift)
        terms = tf.reduce_sum(tf.abs(distance), over).numpy()
        name = f"{x}, over {over}{'' if shift is None else f', shift {shift_shape}'}{', keepDims' if keep else ''}"
        due = {"count": float(count), "meanSs": shaped(mean_ss.numpy()), "varianceSs": shaped(variance_ss.numpy())}
        case = {"name": name, "x": x, "axes": axes, "keepDims": keep, "shift": None if shift is None else shaped(shift)}
        book.add("sufficientStatistics", {**case, "due": {**due, "terms": terms.ravel()}})
        mean, variance = tf.nn.normalize_moments(
            count, mean_ss, variance_ss, None if shift is None else constant(shift)
        )
        if np.all(variance.numpy() >= 0):
            case = {"name": name, "count": due["count"], "meanSs": due["meanSs"], "varianceSs": due["varianceSs"]}
            case |= {"shift": None if shift is None else shaped(shift), "due": pair(mean, variance)}
            book.add("normalizeMoments", case)


# Shapes of mean, variance, offset and scale; None: absent; "number" and "bare": no { data, shape }.
BROADCAST = [
    ([5, 3], -1, "mild", [[3], [3], [3], [3]]),
    ([5, 3], -1, "offset 1e6", ["bare", "bare", "bare", "bare"]),
    ([5, 3], -1, "offset 1e4", ["bare", "bare", None, None]),
    ([5, 3], [], "offset 1e4", ["number", "number", "number", "number"]),
    ([5, 3], 0, "offset 1e6", [[5, 1], [5, 1], "bare", "number"]),
    ([5, 3], -1, "mixed", [[1, 3], [3], None, [5, 1]]),
    ([5, 3], [0, 1], "offset 1e6", [[5, 3], [5, 3], [5, 3], [5, 3]]),
    ([2, 3, 4, 5], 1, "offset 1e6", [[1, 3, 1, 1], [1, 3, 1, 1], [1, 3, 1, 1], [1, 3, 1, 1]]),
    ([2, 3, 4, 5], 1, "mixed", [[3, 1, 1], [1, 3, 1, 1], None, [3, 1, 1]]),
    ([2, 3, 4, 5], -1, "offset 1e4", ["bare", [5], [1, 1, 1, 5], None]),
    ([2, 3, 4, 5], [0, 1], "mild", [[2, 3, 1, 1], [2, 3, 1, 1], [1, 3, 1, 1], "bare"]),
    ([2, 3, 4, 5], [0, 2], "offset 1e4", [[2, 1, 4, 1], [2, 1, 4, 1], [4, 1], [2, 1, 1, 5]]),
    ([2, 3, 4, 5], [0, 1, 2, 3], "mild", [[2, 3, 4, 5], "number", [2, 3, 4, 5], [3, 1, 1]]),
    ([7, 1, 3], -1, "small", [[1, 1, 3], "bare", None, "bare"]),
    ([7, 2, 3], [0, 2], "big", [[7, 1, 3], [7, 1, 3], [7, 1, 1], None]),
]


def broadcast_cases():
    for shape, axis, family, forms in BROADCAST:
        x = some_x(shape, axis, family)
        values = book.arrays[x]
        dice = random(f"parameters of {x} {forms}")
        names = ["mean", "variance", "offset", "scale"]

        def value(name, form):
            if form is None:
                return None
            sizes = {"number": [], "bare": [shape[-1]]}.get(form) if isinstance(form, str) else form
            # Means and variances are those of x over the axes along which they do not vary, or near them.
            padded = [1] * (len(shape) - len(sizes)) + sizes
            over = tuple(at for at, size in enumerate(padded) if size == 1 and shape[at] > 1)
            spread = values.var(axis=over, keepdims=True) if over else np.ones(padded)
            if name == "mean":
                near = values.mean(axis=over, keepdims=True)
                return (near + 0.3 * np.sqrt(spread) * dice.standard_normal(padded)).reshape(sizes)
            if name == "variance":
                return ((spread + (spread == 0)) * dice.uniform(0.5, 1.5, padded)).reshape(sizes)
            return np.round(dice.standard_normal(sizes) + 0.2, 4)

        given = {name: value(name, form) for name, form in zip(names, forms)}
        epsilon = 1e-33 if family == "small" else 1e-3
        tensors = [None if each is None else constant(each) for each in given.values()]
        y = tf.nn.batch_normalization(constant(values), *tensors, epsilon)
        # It multiplies mean and scale/√(variance+ε) before it subtracts: float64 has to bear that.
        scale = 1 if given["scale"] is None else given["scale"]
        offset = 0 if given["offset"] is None else given["offset"]
        textbook = (values - given["mean"]) / np.sqrt(given["variance"] + epsilon) * scale + offset
        np.testing.assert_allclose(y.numpy(), textbook, rtol=1e-8, atol=1e-8)
        stored = {
            name: each
            if each is None
            else float(each)
            if form == "number"
            else each
            if form == "bare"
            else shaped(each)
            for (name, each), form in zip(given.items(), forms)
        }
        name = f"{x}, {', '.join(f'{key} {form}' for key, form in zip(names, forms) if form is not None)}"
        book.add(
            "batchNormalization", {"name": name, "x": x, **stored, "epsilon": epsilon, "due": {"y": y.numpy().ravel()}}
        )


def tf_parameters(name, channels):
    dice = random(name)
    gamma = np.round(dice.uniform(0.5, 2, channels) * dice.choice([-1, 1], channels), 4)
    return gamma, np.round(dice.standard_normal(channels), 4)


def slope(shape):
    name = f"dy {shape}"
    return book.array(name, f32(random(name).standard_normal(shape)))


TAPES = [([7, 1, 3], -1, "mild"), ([2, 3, 4, 5], -1, "offset 1e4"), ([2, 3, 4, 5], 1, "offset 1e6")]


def tape_cases():
    """Gradients of moments and batch_normalization together."""
    for shape, axis, family in TAPES:
        x = some_x(shape, axis, family)
        channels = shape[axis]
        sizes = [size if at == axis % len(shape) else 1 for at, size in enumerate(shape)]
        over = [at for at, size in enumerate(sizes) if at != axis % len(shape)]
        for relu in [False, True]:
            name = f"{x}, by the tape{', relu' if relu else ''}"
            for attempt in range(1000):
                gamma, beta = tf_parameters(f"{name} {attempt}", channels)
                values, scale, offset = constant(book.arrays[x]), constant(gamma), constant(beta)
                with tf.GradientTape() as tape:
                    tape.watch([values, scale, offset])
                    mean, variance = tf.nn.moments(values, over, keepdims=True)
                    before = tf.nn.batch_normalization(
                        values, mean, variance, tf.reshape(offset, sizes), tf.reshape(scale, sizes), 1e-3
                    )
                    y = tf.nn.relu(before) if relu else before
                if not relu or np.abs(before.numpy()).min() > 1e-3:
                    break
            gradients = tape.gradient(y, [values, scale, offset], constant(book.arrays[slope(shape)]))
            due = {
                "mean": mean,
                "variance": variance,
                "y": y,
                "dx": gradients[0],
                "dgamma": gradients[1],
                "dbeta": gradients[2],
            }
            book.add(
                "normalize",
                {
                    "name": name,
                    "x": x,
                    "dy": slope(shape),
                    "axis": axis,
                    "epsilon": 1e-3,
                    "activation": "relu" if relu else None,
                    "mean": None,
                    "variance": None,
                    "gamma": gamma,
                    "beta": beta,
                    "due": {key: value.numpy().ravel() for key, value in due.items()},
                },
            )


LAYERS = [
    ([[2, 3, 2, 4], [1, 5, 2, 4], [3, 2, 2, 4]], 1.0, 1e-3),
    ([[2, 3, 2, 3], [1, 4, 2, 3], [2, 2, 2, 3], [1, 1, 2, 3]], 0.1, 1e-3),
    ([[2, 5, 1, 2], [4, 1, 3, 2], [2, 2, 2, 2]], 0.25, 1e-2),
]


def layer_cases():
    for shapes, factor, epsilon in LAYERS:
        channels = shapes[0][-1]
        name = f"fused, exponential_avg_factor {factor}, {shapes[0]}"
        gamma, beta = tf_parameters(name, channels)
        running = [np.zeros(channels), np.ones(channels)]
        steps = []
        for step, shape in enumerate([*shapes, shapes[0]]):
            x_name = f"{name}, step {step}"
            x = book.arrays[book.array(x_name, elements("mild", shape, -1, x_name))]
            training = step < len(shapes)
            values = constant(x)
            over = list(range(len(shape) - 1))
            with tf.GradientTape() as tape:
                tape.watch(values)
                mean, variance = tf.nn.moments(values, over) if training else map(constant, running)
                y = tf.nn.batch_normalization(values, mean, variance, constant(beta), constant(gamma), epsilon)
            dy = slope(shape)
            dx = tape.gradient(y, values, constant(book.arrays[dy]))

            single = [tf.constant(each, tf.float32) for each in [gamma, beta, *running]]
            with tf.GradientTape() as tape:
                narrow = tf.constant(x, tf.float32)
                tape.watch(narrow)
                fused = tf.compat.v1.nn.fused_batch_norm(
                    narrow,
                    *single,
                    epsilon=epsilon,
                    is_training=training,
                    exponential_avg_factor=factor if training else 1.0,
                )
            if training:
                m = np.prod(shape[:-1])
                new = [mean.numpy(), variance.numpy() * m / (m - 1)]
                running = [(1 - factor) * old + factor * each for old, each in zip(running, new)]
                for got, due in zip(fused[1:], running):
                    np.testing.assert_allclose(got.numpy(), due, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(fused[0].numpy(), y.numpy(), rtol=1e-4, atol=1e-4)
            fused_dx = tape.gradient(fused[0], narrow, tf.constant(book.arrays[dy], tf.float32))
            np.testing.assert_allclose(fused_dx.numpy(), dx.numpy(), rtol=1e-3, atol=1e-3)
            due = {"y": y.numpy().ravel(), "dx": dx.numpy().ravel(), "mean": mean.numpy(), "variance": variance.numpy()}
            due |= {"runningMean": running[0], "runningVariance": running[1]}
            steps.append({"x": x_name, "dy": dy, "training": training, "due": due})
        options = {"epsilon": epsilon, "momentum": factor, "gamma": gamma, "beta": beta}
        book.add(
            "layers", {"name": name, "convention": "tf-fused", "channels": channels, "options": options, "steps": steps}
        )


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    moments_cases()
    weighted_cases()
    sufficient_cases()
    broadcast_cases()
    tape_cases()
    layer_cases()
    book.write()
