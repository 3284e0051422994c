"""ONNX Runtime on the model that Distil runs: exports it, and measures it when asked.

    onnx_runtime.py make HF_DIR OUT_DIR     write OUT_DIR/f32.onnx and OUT_DIR/int8.onnx
    onnx_runtime.py serve OUT_DIR           answer requests, one JSON object a line, until the input ends

A request is {"model": "int8", "tokens": 128, "threads": 1, "seconds": 0.3}; the answer has the times of one call in
milliseconds. Each request warms up once, then measures at least 11 calls and until the seconds are over: the rule of
`tools bench`. `cargo xtask bench host` starts this program and takes turns with it.
"""

import ctypes
import json
import os
import sys
import time
from pathlib import Path

LEAST_RUNS = 11


def make(hf_dir: Path, out_dir: Path) -> None:
    """Exports the folder's classifier and quantizes it as ONNX Runtime's manual says: dynamic, int8, per channel."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification

    out_dir.mkdir(parents=True, exist_ok=True)
    model = AutoModelForSequenceClassification.from_pretrained(hf_dir, attn_implementation="eager").eval()
    ids = torch.randint(1000, 30000, (1, 128))
    batch_and_length = {0: "batch", 1: "length"}
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids)),
        str(out_dir / "f32.partial"),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": batch_and_length, "attention_mask": batch_and_length, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(out_dir / "f32.partial", out_dir / "int8.partial", weight_type=QuantType.QInt8, per_channel=True)
    for name in ("f32", "int8"):
        # Under its own name only when it is whole.
        os.replace(out_dir / f"{name}.partial", out_dir / f"{name}.onnx")


def serve(folder: Path) -> None:
    """Measures what each line of standard input asks for."""
    import numpy
    import onnxruntime

    sessions = {}

    def session(model: str, threads: int):
        if (model, threads) not in sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            path = str(folder / f"{model}.onnx")
            sessions[model, threads] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return sessions[model, threads]

    def answer(request: dict) -> dict:
        tokens = request["tokens"]
        # The ids of `tools bench`: all over the vocabulary.
        ids = numpy.arange(tokens, dtype=numpy.int64) * 7919 % 30522
        feed = {"input_ids": ids[None], "attention_mask": numpy.ones((1, tokens), numpy.int64)}
        run = session(request["model"], request["threads"]).run
        run(None, feed)
        times, started = [], time.perf_counter()
        while len(times) < LEAST_RUNS or time.perf_counter() - started < request["seconds"]:
            before = time.perf_counter()
            run(None, feed)
            times.append(1e3 * (time.perf_counter() - before))
        return {"median_ms": sorted(times)[len(times) // 2], "min_ms": min(times), "runs": len(times)}

    print(json.dumps({"version": onnxruntime.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def main() -> None:
    # A library that hides instruction sets from this process has to do so before anything looks for them.
    if library := os.environ.get("DISTIL_BENCH_HIDE"):
        if ctypes.CDLL(library).hide_isa(os.environ["DISTIL_BENCH_LEVEL"] == "avx2") != 0:
            sys.exit("this machine cannot hide instruction sets from a process (no cpuid faulting)")
    match sys.argv[1:]:
        case ["make", hf_dir, out_dir]:
            make(Path(hf_dir), Path(out_dir))
        case ["serve", folder]:
            serve(Path(folder))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
