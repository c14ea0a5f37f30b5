"""keras.json: the layers BatchNormalization and Normalization in float64, on the backend tensorflow.

The backend torch takes a variance as the mean of squares less the square of the mean, which float64 does not bear at
offsets of 1e6.
"""

import keras
import numpy as np
import tensorflow as tf

from vectors import Book, axes_of, elements, f32, random

book = Book("keras", ["keras", "numpy", "tensorflow-cpu"])


def keras_parameters(name, channels):
    dice = random(name)
    gamma = np.round(dice.uniform(0.5, 2, channels) * dice.choice([-1, 1], channels), 4)
    return {"gamma": gamma, "beta": np.round(dice.standard_normal(channels), 4)}


def slope(shape):
    name = f"dy {shape}"
    return book.array(name, f32(random(name).standard_normal(shape)))


def some_mask(shape, name):
    """Of all axes but the last; with some of each."""
    mask = random(name).uniform(size=shape[:-1]) < 0.7
    mask.flat[:2] = [True, False]
    return mask


def moments_of(x, axis, mask):
    over = tuple(each for each in range(x.ndim) if each not in axes_of(axis, x.ndim))
    where = True if mask is None else np.broadcast_to(mask[..., None], x.shape)
    mean = x.mean(axis=over, where=where)
    sizes = [size if at in axes_of(axis, x.ndim) else 1 for at, size in enumerate(x.shape)]
    return mean, ((x - mean.reshape(sizes)) ** 2).mean(axis=over, where=where)


# The options as Keras names them; what is not said is Keras's default, and the package's.
LAYERS = [
    ("layers", [[5, 3], [2, 3], [1, 3], [7, 3]], "mild", {}),
    ("layers", [[2, 3, 2, 5], [1, 2, 3, 5], [2, 2, 1, 5]], "offset 1e4", {"momentum": 0.9}),
    (
        "layers",
        [[2, 3, 2, 2], [2, 3, 1, 2], [1, 3, 2, 5]],
        "offset 1e6",
        {"axis": 1, "momentum": 0.75, "epsilon": 1e-5},
    ),
    ("layers", [[4, 6], [3, 6], [5, 6]], "mixed", {"center": False, "momentum": 0.5}),
    ("layers", [[4, 1, 3], [3, 2, 3], [1, 1, 3]], "a constant channel", {"scale": False, "momentum": 0.5}),
    ("layers", [[6, 2], [6, 2], [3, 2]], "offset 1e4", {"center": False, "scale": False}),
    ("maskedLayers", [[3, 4, 2], [2, 5, 2], [4, 2, 2]], "mild", {}),
    ("maskedLayers", [[3, 4, 3], [2, 5, 3], [4, 2, 3]], "offset 1e6", {"momentum": 0.5}),
    ("maskedLayers", [[9, 6], [6, 6], [8, 6]], "mixed", {"momentum": 0.75}),
]


def layer_cases():
    for kind, shapes, family, options in LAYERS:
        axis = options.get("axis", -1)
        channels = shapes[0][axis]
        masked = kind == "maskedLayers"
        name = ", ".join([f"{shapes[0]}", family, *(f"{key} {value}" for key, value in options.items())])
        own = keras_parameters(name, channels)
        initial = {
            "gamma": own["gamma"] if options.get("scale", True) else None,
            "beta": own["beta"] if options.get("center", True) else None,
        }
        layer = keras.layers.BatchNormalization(**options)
        layer.build([None if at != axes_of(axis, len(shapes[0]))[0] else channels for at in range(len(shapes[0]))])
        for weight, values in [(layer.gamma, initial["gamma"]), (layer.beta, initial["beta"])]:
            if values is not None:
                weight.assign(values)
        steps = []
        for step, shape in enumerate([*shapes, shapes[0]]):
            training = step < len(shapes)
            x_name = f"{kind}, {name}, step {step}"
            values = book.arrays[book.array(x_name, elements(family, shape, axis, x_name))]
            mask = some_mask(shape, x_name) if masked and training else None
            mean, variance = moments_of(values, axis, mask)
            if not training:
                mean, variance = layer.moving_mean.numpy().copy(), layer.moving_variance.numpy().copy()
            x = tf.constant(values)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=training, **({} if mask is None else {"mask": tf.constant(mask)}))
            dy = slope(shape)
            slopes = book.arrays[dy] if mask is None else np.where(mask[..., None], book.arrays[dy], 0)
            trained = [weight for weight in [layer.gamma, layer.beta] if weight is not None]
            gradients = tape.gradient(y, [x, *(weight.value for weight in trained)], tf.constant(slopes))
            due = {
                "y": y,
                "dx": gradients[0],
                "runningMean": layer.moving_mean,
                "runningVariance": layer.moving_variance,
            }
            due |= {f"d{weight.name}": each for weight, each in zip(trained, gradients[1:])}
            due = {key: value.numpy().ravel().copy() for key, value in due.items()} | {
                "mean": mean,
                "variance": variance,
            }
            weights = None if mask is None else {"shape": [*shape[:-1], 1], "data": mask.ravel()}
            steps.append({"x": x_name, "dy": dy, "training": training, "weights": weights, "due": due})
        book.add(
            kind,
            {
                "name": name,
                "convention": "keras",
                "channels": channels,
                "options": {**options, **initial},
                "steps": steps,
            },
        )


STANDARDIZERS = [
    ([[5, 3], [2, 3], [1, 3]], "mild", -1),
    ([[5, 3], [4, 3], [7, 3]], "offset 1e6", -1),
    ([[2, 3, 2, 5], [1, 3, 4, 5]], "offset 1e4", 1),
    ([[2, 3, 2, 5], [3, 1, 2, 5], [1, 1, 1, 5]], "a constant channel", -1),
    ([[4, 3, 2], [2, 3, 2]], "mild", [1, 2]),
    ([[4, 3], [5, 3]], "offset 1e4", None),
]


def standardizer_cases():
    for shapes, family, axis in STANDARDIZERS:
        kept = [] if axis is None else axis
        name = f"{shapes[0]} and {len(shapes) - 1} more, axis {axis}, {family}"
        batches = []
        for number, shape in enumerate(shapes):
            batch = f"{name}, batch {number}"
            batches.append(book.array(batch, elements(family, shape, kept, batch)))
        layers = [keras.layers.Normalization(axis=axis, invert=invert) for invert in [False, True]]
        for layer in layers:
            layer.adapt([book.arrays[batch] for batch in batches])
        shape = shapes[0]
        x = f32(book.arrays[batches[0]] + 0.5 * random(f"{name}, x").standard_normal(shape))
        z = f32(random(f"{name}, z").standard_normal(shape))
        mean, variance = (each.numpy().ravel() for each in [layers[0].adapt_mean.value, layers[0].adapt_variance.value])
        due = {
            "mean": mean,
            "variance": variance,
            "transformed": layers[0](x).numpy().ravel(),
            "inverted": layers[1](z).numpy().ravel(),
        }
        case = {
            "name": name,
            "axis": kept,
            "batches": batches,
            "x": book.array(f"{name}, x", x),
            "z": book.array(f"{name}, z", z),
        }
        book.add("standardizers", {**case, "due": due})


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.config.set_floatx("float64")
    # Keras adds it to the count of what is not masked; the package adds nothing.
    usual = keras.config.epsilon()
    keras.config.set_epsilon(0.0)
    layer_cases()
    keras.config.set_epsilon(usual)
    standardizer_cases()
    book.write()
