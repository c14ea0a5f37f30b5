"""Writes the JSON files beside it: `python generate.py`, or with the names of some of them. See README.md.

Each file is made in a process of its own: torch and tensorflow do not load into one.
"""

import os
import subprocess
import sys
from pathlib import Path

SOURCES = ["torch", "tensorflow", "keras", "onnx", "exact"]

# One thread adds in one order; so a run repeats the last digits of another.
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}


def main(names):
    here = Path(__file__).resolve().parent
    for name in names or SOURCES:
        if name not in SOURCES:
            sys.exit(f"expected one of {', '.join(SOURCES)}, got {name}")
        subprocess.run([sys.executable, str(here / f"with_{name}.py")], check=True, env={**os.environ, **ENVIRONMENT})


if __name__ == "__main__":
    main(sys.argv[1:])
