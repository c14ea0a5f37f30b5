"""onnx.json: BatchNormalization-15 by the reference evaluator of onnx, in float64."""

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from vectors import Book, elements, random

book = Book("onnx", ["numpy", "onnx"])


def run(inputs, training, epsilon, momentum):
    outputs = ["y", "running_mean", "running_var"] if training else ["y"]
    node = helper.make_node(
        "BatchNormalization", list(inputs), outputs, epsilon=epsilon, momentum=momentum, training_mode=int(training)
    )

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.DOUBLE, None)

    graph = helper.make_graph([node], "graph", [value(name) for name in inputs], [value(name) for name in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    return ReferenceEvaluator(model).run(None, inputs)


# Attributes are f32 in ONNX: what is not one is rounded.
LAYERS = [
    ([[5, 3], [2, 3], [1, 3], [4, 3]], "mild", 1e-5, 0.9),
    ([[2, 3, 4, 5], [1, 3, 2, 2], [2, 3, 1, 1]], "offset 1e4", 1e-3, 0.75),
    ([[2, 3, 5], [1, 3, 2], [3, 3, 1]], "offset 1e6", 1e-5, 0.5),
    ([[4, 6], [3, 6], [5, 6]], "mixed", 1e-5, 0.25),
]


def layer_cases():
    for shapes, family, epsilon, momentum in LAYERS:
        channels = shapes[0][1]
        epsilon, momentum = float(np.float32(epsilon)), float(np.float32(momentum))
        name = f"{shapes[0]}, {family}, momentum {momentum}"
        dice = random(name)
        gamma = np.round(dice.uniform(0.5, 2, channels) * dice.choice([-1, 1], channels), 4)
        beta = np.round(dice.standard_normal(channels), 4)
        running = [np.zeros(channels), np.ones(channels)]
        steps = []
        for step, shape in enumerate([*shapes, shapes[0]]):
            training = step < len(shapes)
            x_name = f"{name}, step {step}"
            x = book.arrays[book.array(x_name, elements(family, shape, 1, x_name))]
            over = tuple(each for each in range(len(shape)) if each != 1)
            mean, variance = (x.mean(axis=over), x.var(axis=over)) if training else running
            inputs = {"X": x, "scale": gamma, "B": beta, "input_mean": running[0], "input_var": running[1]}
            y, *new = run(inputs, training, epsilon, momentum)
            running = new or running
            due = {
                "y": y.ravel(),
                "mean": mean,
                "variance": variance,
                "runningMean": running[0],
                "runningVariance": running[1],
            }
            steps.append({"x": x_name, "training": training, "due": due})
        options = {"epsilon": epsilon, "momentum": momentum, "gamma": gamma, "beta": beta}
        book.add(
            "layers", {"name": name, "convention": "onnx", "channels": channels, "options": options, "steps": steps}
        )


def rank_one():
    name = "rank 1 is one channel"
    x = book.arrays[book.array(name, elements("mild", [7], [], name))]
    epsilon, gamma, beta, mean, variance = (
        float(np.float32(1e-5)),
        *(np.array([each]) for each in [1.5, -0.25, 0.3, 0.8]),
    )
    (y,) = run({"X": x, "scale": gamma, "B": beta, "input_mean": mean, "input_var": variance}, False, epsilon, 0.5)
    due = {"y": y.ravel(), "mean": mean, "variance": variance, "runningMean": mean, "runningVariance": variance}
    options = {"epsilon": epsilon, "gamma": gamma, "beta": beta, "runningMean": mean, "runningVariance": variance}
    steps = [{"x": name, "training": False, "due": due}]
    book.add("layers", {"name": name, "convention": "onnx", "channels": 1, "options": options, "steps": steps})


if __name__ == "__main__":
    layer_cases()
    rank_one()
    book.write()
