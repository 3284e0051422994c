#!/usr/bin/env python3
"""A distillation step in PyTorch, the counterpart of `train bench`: same shapes, same losses, same figures.

BERT-base teaches DistilBERT on random weights and random sequences of full length, of whose tokens 15% are labelled. On a GPU: bfloat16 under
autocast with float32 weights, and the fused AdamW. Needs torch and transformers. Prints one line of JSON.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

TEMPERATURE = 2.0
WEIGHTS = {"soft": 5.0, "masked": 2.0, "cosine": 1.0}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="a teacher of 4 layers of 128")
    parser.add_argument("--compile", action="store_true", help="torch.compile of the losses")
    parser.add_argument("--threads", type=int, default=0, help="threads on the CPU")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def models(tiny, device):
    shape = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 512} if tiny else {}
    teaching = BertConfig(**shape)
    learning = DistilBertConfig(
        dim=teaching.hidden_size,
        n_layers=teaching.num_hidden_layers // 2,
        n_heads=teaching.num_attention_heads,
        hidden_dim=teaching.intermediate_size,
    )
    teacher = BertForMaskedLM(teaching).to(device).eval().requires_grad_(False)
    if device == "cuda":
        teacher = teacher.bfloat16()
    return teacher, DistilBertForMaskedLM(learning).to(device).train()


def make_loss(teacher, student, device):
    vocabulary = teacher.config.vocab_size

    def loss(ids, labels):
        with torch.no_grad():
            taught = teacher(ids, output_hidden_states=True)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            learned = student(ids, output_hidden_states=True)
        t, s = (out.logits.reshape(-1, vocabulary).float() for out in (taught, learned))
        soft = functional.kl_div(
            (s / TEMPERATURE).log_softmax(-1), (t / TEMPERATURE).log_softmax(-1), reduction="batchmean", log_target=True
        )
        masked = functional.cross_entropy(s, labels.flatten(), ignore_index=-100)
        ht, hs = (out.hidden_states[-1].flatten(0, 1).float() for out in (taught, learned))
        cosine = 1 - functional.cosine_similarity(hs, ht, dim=-1).mean()
        return WEIGHTS["soft"] * TEMPERATURE**2 * soft + WEIGHTS["masked"] * masked + WEIGHTS["cosine"] * cosine

    return loss


def multiply_adds(layers, config, tokens):
    """Of a forward pass, for each token, the masked-LM head over all tokens included."""
    h, i = config.hidden_size, config.intermediate_size
    return layers * (4 * h * h + 2 * h * i + 2 * tokens * h) + h * h + h * config.vocab_size


def main():
    options = arguments()
    device = options.device
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")
    teacher, student = models(options.tiny, device)
    loss_of = make_loss(teacher, student, device)
    if options.compile:
        loss_of = torch.compile(loss_of)
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0, fused=device == "cuda"
    )
    shape = (options.batch, options.tokens)
    seconds = []
    for _ in range(options.warmup + options.steps):
        ids = torch.randint(1000, teacher.config.vocab_size, shape, device=device)
        labels = ids.where(torch.rand(shape, device=device) < 0.15, torch.full_like(ids, -100))
        if device == "cuda":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        loss = loss_of(ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds[options.warmup :])
    rows = options.batch * options.tokens
    config = teacher.config
    forward = [multiply_adds(n, config, options.tokens) for n in (config.num_hidden_layers, config.num_hidden_layers // 2)]
    flop = 2 * rows * (forward[0] + 3 * forward[1])
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    figures = {
        "device": device,
        "torch": torch.__version__,
        "compile": options.compile,
        "batch": options.batch,
        "tokens": options.tokens,
        "step_ms": round(1e3 * median, 2),
        "tokens_per_s": round(rows / median),
        "model_tflops": round(flop / median / 1e12, 3),
        "peak_gb": round(peak / 1e9, 2),
        "loss": round(loss.item(), 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
