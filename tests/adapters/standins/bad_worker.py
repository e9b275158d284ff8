"""A worker that misbehaves as `options.mode` says, when a prompt says "bad", or when it starts."""

import os
import signal
import subprocess
import sys
import time

import worker

MODE = {}


class Bad(worker.System):
    name = "bad"
    capabilities = ("generate", "choices")

    def load(self, settings):
        MODE.update(settings.options)
        mode = MODE["mode"]
        time.sleep(MODE.get("load", 0))
        if mode == "dies at start":
            print("Loading checkpoint shards", file=sys.stderr)
            print("RuntimeError: no CUDA device", file=sys.stderr)
            sys.stderr.flush()
            os._exit(3)
        if mode == "raises at start":
            import no_such_upstream  # noqa: F401
        if mode == "hangs at start":
            time.sleep(600)
        if mode == "dies at second start":
            if os.path.exists(MODE["mark"]):
                os._exit(4)
            open(MODE["mark"], "w").close()

    def generate(self, ask):
        if ask.question == "pid":
            return worker.Answer(str(os.getpid()))
        if ask.question != "bad":
            return worker.Answer(f"good {ask.question}")
        return getattr(self, MODE["mode"].replace(" ", "_"))(ask)

    def choices(self, ask):
        return [(float("nan"), 1) for _ in ask.continuations]

    def dies(self, ask):
        print("Killing myself", file=sys.stderr)
        sys.stderr.flush()
        os._exit(7)

    dies_at_second_start = dies

    def is_killed(self, ask):
        os.kill(os.getpid(), signal.SIGKILL)

    def hangs(self, ask):
        time.sleep(600)

    def hangs_with_a_child(self, ask):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open(MODE["mark"], "w") as out:
            out.write(str(child.pid))
        time.sleep(600)

    def is_late(self, ask):
        time.sleep(float(MODE["sleep"]))
        return worker.Answer("late answer to bad")

    def takes_another_id(self, ask):
        ask.id = "somebody-else"
        return worker.Answer("for somebody else")

    def answers_twice(self, ask):
        self.send(type="reply", id=ask.id, text="first")
        return worker.Answer("second")

    def sends_broken_json(self, ask):
        raw(b'{"type": "reply", "id": "' + ask.id.encode() + b'", "text": "half\n')
        time.sleep(float(MODE["sleep"]))
        ask.id = "somebody-else"
        return worker.Answer("")

    def sends_rubbish_first(self, ask):
        for number in range(3):
            raw(f"100%|####| {number}/3\n".encode())
        return worker.Answer("good after rubbish")

    def sends_only_rubbish(self, ask):
        for number in range(100):
            raw(f"rubbish {number}\n".encode())
        time.sleep(600)

    def sends_a_huge_line(self, ask):
        raw(b"x" * (17 << 20))
        time.sleep(600)

    def sends_no_text(self, ask):
        self.send(type="reply", id=ask.id, answer="in another field")
        ask.id = "somebody-else"
        return worker.Answer("")

    def sends_half_a_character(self, ask):
        self.send(type="reply", id=ask.id, text="half \ud83c", stages={"prefill": 10**400})
        return worker.Answer("")

    def closes_its_output(self, ask):
        os.close(OUT)
        time.sleep(600)

    def talks_much_on_stderr(self, ask):
        for number in range(20_000):
            print(f"step {number} of 20000", file=sys.stderr)
        return worker.Answer("good after 20000 lines")


def raw(data):
    while data:
        data = data[os.write(OUT, data) :]


def output_of_worker():
    """The descriptor that worker.py keeps for itself: the next free one when it duplicates 1."""
    probe = os.dup(1)
    os.close(probe)
    return probe


if os.environ.get("BAD_PROTOCOL"):
    worker.PROTOCOL = 99
OUT = output_of_worker()
worker.serve(Bad())
