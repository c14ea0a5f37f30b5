"""exact.json: for f64 input, the formulas in mpmath at 300 bits, each result rounded once."""

import numpy as np
from mpmath import mp, mpf, sqrt

from vectors import Book, axes_of, channel_numbers, random, shaped

mp.prec = 300
book = Book("exact", ["mpmath", "numpy"], np.float64)


def some_x(shape, axis, center, scale=1.0):
    name = f"{shape} axis {axis}, {scale} around {center}"
    sign = np.where(channel_numbers(shape, axis) % 2 == 0, 1.0, -1.0)
    return book.array(name, center * sign + scale * random(name).standard_normal(shape))


def slope(shape):
    name = f"dy {shape}"
    return book.array(name, random(name).standard_normal(shape))


def exact(values):
    return [mpf(each) for each in np.asarray(values, dtype=np.float64).ravel().tolist()]


def numbers(values):
    return [float(each) for each in values]


def places_of(shape, axis):
    """For each channel the flat places of its elements."""
    channel = channel_numbers(shape, axis).ravel()
    return [np.flatnonzero(channel == each).tolist() for each in range(channel.max() + 1)]


def moments(x, places, weights):
    """Of each channel: Σw, μ = Σwx/Σw, Σw(x-μ)²/Σw."""
    result = []
    for own in places:
        total = sum(weights[at] for at in own)
        mean = sum(weights[at] * x[at] for at in own) / total
        result.append((total, mean, sum(weights[at] * (x[at] - mean) ** 2 for at in own) / total))
    return result


def spread(weights, shape):
    return exact(np.broadcast_to(1.0 if weights is None else weights, shape))


VIEWS = [
    ([9, 3], -1, 0.0, 1.0, None),
    ([3, 4, 6], 1, 1e4, 1.0, [3, 1, 1]),
    ([6, 5], [], 1e6, 1.0, [6, 5]),
    ([70, 2], -1, 1e6, 1e-3, [70, 1]),
    ([2, 3, 2, 4], [0, -1], 3e7, 1e3, [3, 1, 1]),
]


def moments_cases():
    for shape, axis, center, scale, weights_shape in VIEWS:
        x = some_x(shape, axis, center, scale)
        values = exact(book.arrays[x])
        axes = [each for each in range(len(shape)) if each not in axes_of(axis, len(shape))]
        kept = [size for at, size in enumerate(shape) if at not in axes]
        for form in [None, weights_shape] if weights_shape else [None]:
            weights = None if form is None else random(f"weights {x}").uniform(0.1, 3, form)
            result = moments(values, places_of(shape, axis), spread(weights, shape))
            due = {
                "mean": {"shape": kept, "data": numbers(each[1] for each in result)},
                "variance": {"shape": kept, "data": numbers(each[2] for each in result)},
            }
            case = {"name": x if form is None else f"{x}, weights {form}", "x": x, "axes": axes, "keepDims": False}
            if form is None:
                book.add("moments", {**case, "due": due})
            else:
                book.add("weightedMoments", {**case, "weights": shaped(weights), "due": due})


def sufficient_cases():
    for shape, axis, center, scale, _ in VIEWS[:4]:
        x = some_x(shape, axis, center, scale)
        values = exact(book.arrays[x])
        axes = [each for each in range(len(shape)) if each not in axes_of(axis, len(shape))]
        sizes = [1 if at in axes else size for at, size in enumerate(shape)]
        sign = np.where(np.arange(np.prod(sizes, dtype=int)) % 2 == 0, 1.0, -1.0)
        shift = center * sign + 0.4 * scale
        sums, squares, terms = [], [], []
        for own, near in zip(places_of(shape, axis), exact(shift)):
            sums.append(sum(values[at] - near for at in own))
            squares.append(sum((values[at] - near) ** 2 for at in own))
            terms.append(sum(abs(values[at] - near) for at in own))
        count = len(places_of(shape, axis)[0])
        due = {
            "count": count,
            "meanSs": {"shape": sizes, "data": numbers(sums)},
            "varianceSs": {"shape": sizes, "data": numbers(squares)},
            "terms": numbers(terms),
        }
        case = {"name": x, "x": x, "axes": axes, "keepDims": True, "shift": shaped(shift.reshape(sizes)), "due": due}
        book.add("sufficientStatistics", case)


def normalize_case(name, x, axis, weights, frozen, activation):
    shape = list(book.arrays[x].shape)
    dy = slope(shape)
    values, places, w = exact(book.arrays[x]), places_of(shape, axis), spread(weights, shape)
    dice = random(name)
    channels = len(places)
    gamma = dice.uniform(0.5, 2, channels) * dice.choice([-1, 1], channels)
    beta = dice.standard_normal(channels)
    epsilon = 1e-3
    batch = moments(values, places, w)
    given = {"mean": None, "variance": None}
    if frozen:
        given["mean"] = np.array([float(mean + sqrt(variance) / 3) for _, mean, variance in batch])
        given["variance"] = np.array([float(variance * mpf(3) / 4) for _, _, variance in batch])
    slopes = exact(np.where(np.broadcast_to(1.0 if weights is None else weights, shape) == 0, 0, book.arrays[dy]))
    due = {"y": [mpf(0)] * len(values), "dx": [mpf(0)] * len(values), "dgamma": [], "dbeta": []}
    due |= {"dmean": [], "dvariance": []} if frozen else {"mean": [], "variance": []}
    for channel, own in enumerate(places):
        total, mean, variance = batch[channel]
        if frozen:
            mean, variance = (mpf(given[each][channel]) for each in ["mean", "variance"])
        else:
            due["mean"].append(mean)
            due["variance"].append(variance)
        r = 1 / sqrt(variance + mpf(epsilon))
        g, b = mpf(gamma[channel]), mpf(beta[channel])
        normalized = {at: (values[at] - mean) * r for at in own}
        through = {}
        for at in own:
            y = normalized[at] * g + b
            stopped = activation == "relu" and y <= 0
            due["y"][at] = mpf(0) if stopped else y
            through[at] = mpf(0) if stopped else slopes[at]
        dbeta = sum(through.values())
        dgamma = sum(through[at] * normalized[at] for at in own)
        for at in own:
            share = 0 if frozen else w[at] / total * (dbeta + normalized[at] * dgamma)
            due["dx"][at] = g * r * (through[at] - share)
        due["dgamma"].append(dgamma)
        due["dbeta"].append(dbeta)
        if frozen:
            due["dmean"].append(-g * r * dbeta)
            due["dvariance"].append(-g * r * r * dgamma / 2)
    case = {"name": name, "x": x, "dy": dy, "axis": axis, "epsilon": epsilon, "activation": activation, **given}
    case |= {"gamma": gamma, "beta": beta}
    if weights is not None:
        case["weights"] = shaped(weights)
    case["due"] = {key: numbers(each) for key, each in due.items()}
    book.add("normalize" if weights is None else "weightedNormalize", case)


def normalize_cases():
    for number, (shape, axis, center, scale, weights_shape) in enumerate(VIEWS):
        x = some_x(shape, axis, center, scale)
        activation = [None, "relu"][number % 2]
        suffix = f", {activation}" if activation else ""
        normalize_case(f"{x}{suffix}", x, axis, None, False, activation)
        if np.prod(shape) < 50:
            normalize_case(f"{x}, given statistics{suffix}", x, axis, None, True, activation)
            if weights_shape is not None:
                dice = random(f"some weights {x}")
                weights = dice.uniform(0.1, 3, weights_shape) * (dice.uniform(size=weights_shape) < 0.8)
                normalize_case(f"{x}, weights {weights_shape}{suffix}", x, axis, weights, False, activation)


if __name__ == "__main__":
    moments_cases()
    sufficient_cases()
    normalize_cases()
    book.write()
