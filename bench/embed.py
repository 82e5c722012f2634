#!/usr/bin/env python3
"""Documents a second of backread beside onnxruntime, on texts cut from real chat to exactly 20, 40 and 128 tokens and on the chat as it is.

    bench/embed.py EXPORT.zip MODEL.onnx TOKENIZER.json [--build DIR] [--weights DIR] [--rounds N]

EXPORT.zip: a Slack export; MODEL.onnx and TOKENIZER.json: ChromaDB's own (all-MiniLM-L6-v2). Needs onnxruntime, tokenizers and numpy, and
`cmake --build --preset release` before it. --weights: a folder with the original weights, which adds the float path. What is compared:

  int8, float     bench_embed on all processors, tokenizing included
  ort batched     one process, a thread a processor, batches of 32 texts of the same length: no padding
  ort processes   a process a processor, one thread each, the same batches; for chat as it is a text at a time: no padding
  chroma          every text padded to 256, batches of 32, one process: ChromaDB's default embedding function

The onnxruntime sides get their token ids ready made. All contenders are started first and wait; then each does the same texts once a round, one
after another, so what else the machine does hits all of them. A ratio is of one round, with the faster of onnxruntime's ways; told is the median over
the rounds. On a machine with other work the ratio of processor time is the one to look at (but onnxruntime's threads, where one process has several,
spend some of it waiting)."""
import argparse, json, multiprocessing, os, random, statistics, subprocess, sys, tempfile, time, zipfile

LENGTHS = {20: 480, 40: 256, 128: 96}
CHAT = 96


def chat(path):
    texts = []
    with zipfile.ZipFile(path) as z:
        for name in sorted(z.namelist()):
            if not name.endswith(".json") or "/" not in name:
                continue
            day = json.loads(z.read(name))
            if isinstance(day, list):
                texts += [m["text"] for m in day if m.get("type") == "message" and m.get("text")]
    random.Random(5).shuffle(texts)
    return texts


def cut(texts, tokenizer, length, n):
    """n texts that have exactly this many tokens, [CLS] and [SEP] among them, once they are cut behind one of them."""
    out = []
    for text in texts:
        e = tokenizer.encode(text)
        if len(e.ids) >= length:
            text = text[: e.offsets[length - 2][1]]
            if len(tokenizer.encode(text).ids) == length:
                out.append(text)
        if len(out) == n:
            return out
    sys.exit(f"the export has only {len(out)} texts of {length} tokens")


class Ours:
    def __init__(self, build, texts, extra=()):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".jsonl")
        self.file.writelines(json.dumps({"text": t}) + "\n" for t in texts)
        self.file.flush()
        self.p = subprocess.Popen([f"{build}/bench/bench_embed", self.file.name, "--serve", *extra], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def run(self):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        o = json.loads(self.p.stdout.readline())
        return o["seconds"], o["cpu_seconds"]

    def stop(self):
        self.p.stdin.close()
        self.p.wait()


def session_worker(pipe, model, threads, batches):
    import numpy, onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    s = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = []
    for ids, mask in batches:
        ids, mask = numpy.array(ids, dtype=numpy.int64), numpy.array(mask, dtype=numpy.int64)
        feeds.append({"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)})
    s.run(None, feeds[0])
    pipe.send("ready")
    while pipe.recv():
        start = time.process_time()
        for f in feeds:
            hidden, mask = s.run(None, f)[0], f["attention_mask"][..., None]
            v = (hidden * mask).sum(1) / mask.sum(1)
            v / numpy.maximum(numpy.linalg.norm(v, axis=1, keepdims=True), 1e-12)
        pipe.send(time.process_time() - start)


class Onnx:
    def __init__(self, model, threads, shares):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.workers = [], []
        for batches in shares:
            mine, theirs = context.Pipe()
            w = context.Process(target=session_worker, args=(theirs, model, threads, batches), daemon=True)
            w.start()
            mine.recv()
            self.pipes.append(mine)
            self.workers.append(w)

    def run(self):
        start = time.perf_counter()
        for p in self.pipes:
            p.send(True)
        cpu = sum(p.recv() for p in self.pipes)
        return time.perf_counter() - start, cpu

    def stop(self):
        for p, w in zip(self.pipes, self.workers):
            p.send(False)
            w.join()


def batches_of(encodings, size):
    parts = [encodings[i : i + size] for i in range(0, len(encodings), size)]
    return [([e.ids for e in p], [e.attention_mask for e in p]) for p in parts]


def compare(title, n, contenders, rounds):
    took = {name: [] for name in contenders}
    for c in contenders.values():
        c.run()
    for _ in range(rounds):
        for name, c in contenders.items():
            took[name].append(c.run())
    for c in contenders.values():
        c.stop()
    fair = [k for k in took if k.startswith("ort")]

    def ratio(name, which, others):
        return statistics.median(min(took[k][r][which] for k in others) / took[name][r][which] for r in range(rounds))

    print(f"\n{title}: {n} texts, {rounds} rounds")
    for name, t in took.items():
        line = f"  {name:14} {n / statistics.median(s for s, _ in t):7.0f} documents/s, {n / statistics.median(c for _, c in t):7.0f} a second of a processor"
        if name in ("int8", "float"):
            line += f"; {ratio(name, 0, fair):.2f} x (processor time {ratio(name, 1, fair):.2f} x) unpadded"
            if "chroma" in took:
                line += f"; {ratio(name, 0, ['chroma']):.1f} x (processor time {ratio(name, 1, ['chroma']):.1f} x) ChromaDB's way"
        print(line, flush=True)


def one_text(build, text):
    """Median of a text by itself in a warm process; of a process from its start to its end with one vector; peak memory while embedding."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        f.write((json.dumps({"text": text}) + "\n") * 200)
        f.flush()
        out = subprocess.run([f"{build}/bench/bench_embed", f.name, "--warm"], capture_output=True, text=True, check=True).stdout
    times = []
    for _ in range(31):
        start = time.perf_counter()
        subprocess.run([f"{build}/backread", "embed", text], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return json.loads(out)["median_ms"], 1e3 * statistics.median(times)


def peak_megabytes(build, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        f.writelines(json.dumps({"text": t}) + "\n" for t in texts)
        f.flush()
        p = subprocess.Popen([f"{build}/backread", "embed", "--batch", f.name], stdout=subprocess.DEVNULL)
        return os.wait4(p.pid, 0)[2].ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export")
    parser.add_argument("model")
    parser.add_argument("tokenizer")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--weights")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["20", "40", "128", "chat", "one"], action="append")
    args = parser.parse_args()
    from tokenizers import Tokenizer

    os.environ.pop("OPENBLAS_CORETYPE", None)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts, cores = chat(args.export), len(os.sched_getaffinity(0))

    def ours(of):
        c = {"int8": Ours(args.build, of)}
        if args.weights:
            c["float"] = Ours(args.build, of, ("--model", args.weights))
        return c

    def wanted(what):
        return not args.only or what in args.only

    for length, n in LENGTHS.items():
        if not wanted(str(length)):
            continue
        of = cut(texts, tokenizer, length, n)
        batches = batches_of(tokenizer.encode_batch(of), 32)
        contenders = ours(of)
        contenders["ort batched"] = Onnx(args.model, cores, [batches])
        contenders["ort processes"] = Onnx(args.model, 1, [batches[i::cores] for i in range(cores)])
        compare(f"{length} tokens", n, contenders, args.rounds)
    if wanted("chat"):
        of = texts[:CHAT]
        tokenizer.enable_truncation(256)
        encoded = tokenizer.encode_batch(of)
        single = batches_of(encoded, 1)
        contenders = ours(of)
        contenders["ort processes"] = Onnx(args.model, 1, [single[i::cores] for i in range(cores)])
        tokenizer.enable_padding(length=256)
        contenders["chroma"] = Onnx(args.model, 0, [batches_of(tokenizer.encode_batch(of), 32)])
        mean = sum(len(e.ids) for e in encoded) / len(encoded)
        compare(f"chat as it is, {mean:.0f} tokens on average", len(of), contenders, args.rounds)
    if wanted("one"):
        warm, start = one_text(args.build, "how do we restart the ingest worker after a deploy?")
        print(f"\na question: {warm:.2f} ms warm, {start:.1f} ms from the start of a process to its end")
        print(f"peak memory of `backread embed` over {len(texts[:4000])} texts: {peak_megabytes(args.build, texts[:4000]):.0f} MB")


if __name__ == "__main__":
    main()
