#!/usr/bin/env python3
"""Documents a second of onnxruntime, unpadded, one single-thread process per core: the peer of `backread import`.

Usage: onnxruntime_documents.py MODEL.onnx TOKENIZER.json DOCUMENTS.jsonl [PROCESSES] [--padded]
DOCUMENTS.jsonl comes from bench_dump_documents. Needs onnxruntime, tokenizers and numpy. --padded pads every text to 256 and runs 32 at a
time in one process on all cores, as ChromaDB's default embedding function does."""
import json, multiprocessing, sys, time

def session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

def feed(ids):
    import numpy
    ids = numpy.array(ids, dtype=numpy.int64)
    return {"input_ids": ids, "attention_mask": (ids != 0).astype(numpy.int64), "token_type_ids": numpy.zeros_like(ids)}

def work(args):
    path, tokens, start = args
    s = session(path, 1)
    s.run(None, feed([tokens[0]]))
    start.wait()
    t = time.perf_counter()
    for ids in tokens:
        s.run(None, feed([ids]))
    return time.perf_counter() - t

def main():
    from tokenizers import Tokenizer
    args = [a for a in sys.argv[1:] if a != "--padded"]
    texts = [json.loads(line)["text"] for line in open(args[2], encoding="utf-8")]
    tokenizer = Tokenizer.from_file(args[1])
    tokenizer.enable_truncation(256)
    if "--padded" in sys.argv:
        tokenizer.enable_padding(length=256)
        tokens = [e.ids for e in tokenizer.encode_batch(texts)]
        s = session(args[0], 0)
        s.run(None, feed(tokens[:1]))
        t = time.perf_counter()
        for i in range(0, len(tokens), 32):
            s.run(None, feed(tokens[i:i + 32]))
        seconds = time.perf_counter() - t
    else:
        tokenizer.no_padding()
        tokens = [e.ids for e in tokenizer.encode_batch(texts)]
        n = int(args[3]) if len(args) > 3 else multiprocessing.cpu_count()
        with multiprocessing.Manager() as manager:
            start = manager.Barrier(n)
            with multiprocessing.Pool(n) as pool:
                seconds = max(pool.map(work, [(args[0], tokens[i::n], start) for i in range(n)], chunksize=1))
    mean = sum(map(len, tokens)) / len(tokens)
    print(json.dumps({"documents": len(texts), "mean_tokens": round(mean, 1), "seconds": round(seconds, 2),
                      "documents_per_second": round(len(texts) / seconds, 1)}))

main()
