"""A worker without worker.py that does one thing wrong, as `options.wrong` says."""

import json
import os
import sys
import time


def say(**message):
    print(json.dumps(message), flush=True)


def answer(request, count):
    text = f"{len(request['clips'][0]['png'])} frames for {request['system'][:9]}"
    if wrong == "counts":
        text += f", request {count}"
    if wrong == "needs a system prompt" and not request["system"]:
        return {"error": "no system prompt"}
    if wrong == "ascii only":
        request["messages"][-1]["content"].encode("ascii")
    if wrong == "fixed frames" and len(request["clips"][0]["png"]) != 4:
        return {"error": "expected 4 frames"}
    if wrong == "empty":
        text = " "
    if request["output_type"] == "choices":
        return {"logprobs": [0.3, 0.6], "tokens": [1, 1]}  # probabilities, not logarithms
    return {"text": text}


def checked(request, count):
    try:
        if request["clips"][0]["png"][0].startswith("bm90"):
            raise ValueError("no picture")
        return answer(request, count)
    except Exception as error:
        if wrong == "dies of bad requests":
            raise
        if wrong == "answers bad requests":
            return {"text": "something"}
        return {"error": f"{type(error).__name__}: {error}"}


claims = ["generate", "choices"] if os.environ.get("SLOPPY_CHOICES") else ["generate"]
say(type="hello", protocol=1, worker="sloppy", capabilities=claims, versions={})
wrong = json.loads(sys.stdin.readline())["options"]["wrong"]
say(type="ready")
count = 0
for line in sys.stdin:
    replies = []
    for request in json.loads(line)["requests"]:
        count += 1
        replies.append({"type": "reply", "id": request["id"], **checked(request, count)})
    if wrong == "order":
        replies.reverse()
    if wrong == "prints":
        print("processing frames ...", flush=True)
    for reply in replies:
        say(**reply)
if wrong == "stays":
    time.sleep(600)
