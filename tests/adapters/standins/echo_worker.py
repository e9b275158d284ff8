"""A worker that says what it was given: everything that crosses the pipe can be looked at."""

import json
import os
import subprocess
import sys
import time

import worker


class Echo(worker.System):
    name = "echo"
    libraries = ("pip", "no-such-library")

    def load(self, settings):
        self.settings = settings
        self.capabilities = capabilities
        if settings.options.get("child"):  # a helper process, as data loaders have them
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            with open(settings.options["child"], "w") as out:
                out.write(f"{os.getpid()} {child.pid}")
        self.until_alone("loading")

    def until_alone(self, at):
        """Be at work until the harness is gone, and then go on as if nothing had happened."""
        harness = os.getppid()
        while self.settings.options.get("alone") == at and os.getppid() == harness:
            if not os.path.exists(self.settings.options["busy"]):
                open(self.settings.options["busy"], "w").close()
            time.sleep(0.01)

    def generate(self, ask):
        self.until_alone("at a request")
        self.until_alone("at a request that fails")
        if self.settings.options.get("alone") == "at a request that fails":
            raise RuntimeError("no harness")
        print("a library's progress on standard output")
        os.write(1, b"and one that writes to the descriptor\n")
        if ask.question == "refuse":
            raise worker.Refused("this one not")
        if ask.question == "crash":
            raise KeyError("vision_tower")
        text = json.dumps(self.seen(ask), ensure_ascii=False)
        return worker.Answer(text, prompt_tokens=7, completion_tokens=3, **self.measured(ask))

    def generate_batch(self, asks):
        answers = [self.generate(ask) for ask in asks]
        for answer in answers:
            answer.text = f"{len(asks)} together: {answer.text}"
        return answers

    def choices(self, ask):
        return [(-float(len(text)), len(text.split())) for text in ask.continuations]

    def measured(self, ask):
        return {"prefill_ms": 2.0, "generate_ms": 5.0} if ask.question == "measured" else {}

    def seen(self, ask):
        clips = [
            {
                "shape": clip.array().shape,
                "means": clip.array().mean(axis=(1, 2)).round().astype(int).tolist(),
                "size": clip.images()[0].size,
                "times": clip.times,
                "fps": clip.fps,
                "duration": clip.duration,
            }
            for clip in ask.clips
        ]
        return {
            "system": ask.system,
            "messages": ask.messages,
            "clips": clips,
            "max_new_tokens": ask.max_new_tokens,
            "sampling": ask.sampling(),
            "stop": ask.stop,
            "seed": ask.seed,
            "base": self.settings.base,
            "lora": self.settings.lora,
            "conversation": self.settings.conversation,
            "quantize": self.settings.quantize,
            "pid": os.getpid(),
            "keys": [name for name in os.environ if name.endswith("_API_KEY")],
        }


capabilities = tuple(os.environ.get("ECHO_CAN", "generate").split(","))
Echo.capabilities = capabilities
worker.serve(Echo())
