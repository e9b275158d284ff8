"""The worker's side of a bridge: a script imports this, says what its system can do, and serves.

Runs under the interpreter of the system's own environment (Python 3.8 or later), so it needs
nothing but the standard library; numpy and Pillow are imported when frames are asked for. The
protocol is described in docs/bridges.md.

    class System(worker.System):
        name = "my_system"
        libraries = ("torch", "transformers")

        def load(self, settings): ...
        def generate(self, ask): return worker.Answer("text")

    if __name__ == "__main__":
        worker.serve(System())
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import platform
import queue
import signal
import sys
import threading
import time
import traceback

PROTOCOL = 1
END = None  # what the queue of lines holds after the last one
LEAVE_SECONDS = 1.0  # a request at work gets so long when the harness is gone
BROKEN_DEVICE = 70  # exit code: after such an error a CUDA context answers nothing any more


class Refused(Exception):
    """A request that cannot be answered as it is asked; the message is shown as it stands."""


class Answer:
    """What a system says: text, why it ended, tokens if they were counted, milliseconds by stage.

    ``finish`` is "stop" or "length". ``preprocess_ms``, ``prefill_ms`` and ``generate_ms`` are
    None where they were not measured.
    """

    def __init__(self, text, finish="stop", **more):
        self.text, self.finish = text, finish
        self.prompt_tokens = more.pop("prompt_tokens", None)
        self.completion_tokens = more.pop("completion_tokens", None)
        self.stages = {name: more.pop(f"{name}_ms", None) for name in STAGES}
        if more:
            raise TypeError(f"Answer has no {sorted(more)[0]}")


STAGES = ("preprocess", "prefill", "generate")


class System:
    """What a worker script fills in. ``capabilities``: "generate", "choices", "batch"."""

    name = "worker"
    capabilities = ("generate",)
    libraries = ()

    def load(self, settings):
        """Load the weights; an exception ends the worker with its message."""

    def generate(self, ask):
        """An Answer to one request."""
        raise Refused(f"{self.name} does not generate")

    def generate_batch(self, asks):
        """Answers to several requests of equal frame counts; only with the capability "batch"."""
        return [self.generate(ask) for ask in asks]

    def choices(self, ask):
        """Of each of ``ask.continuations``: (summed log-probability, number of tokens)."""
        raise Refused(f"{self.name} gives no log-likelihoods")


class Settings:
    """What the model card says: base, lora, conversation, options, quantize, dtype."""

    def __init__(self, message):
        self.base, self.lora = _text(message, "base"), message.get("lora")
        self.conversation = _text(message, "conversation")
        self.quantize = message.get("quantize", "none")
        self.dtype = message.get("dtype", "auto")
        self.options = dict(message.get("options") or {})
        if "home" in self.options:  # the checkout of a system that is no installed package
            home = os.path.expanduser(str(self.options["home"]))
            if not os.path.isdir(home):
                raise Refused(f"options.home: no such folder {home}")
            os.chdir(home)
            sys.path.insert(0, home)

    def option(self, name, default):
        """An option of the card; it must be of the default's kind."""
        value = self.options.get(name, default)
        if not isinstance(value, type(default)):
            raise Refused(f"options.{name}: {value!r} is no {type(default).__name__}")
        return value

    def known(self, *names):
        """Refuse options that the system does not know: a misspelt one would change nothing."""
        for name in self.options:
            if name not in (*names, "home"):
                raise Refused(f"options.{name}: unknown; known are {', '.join((*names, 'home'))}")

    def bits(self):
        """The two switches that LLaVA's loaders have in common."""
        if self.lora and self.quantize != "none":
            raise Refused("a LoRA is merged into the weights, which needs 'quantize: none'")
        if self.dtype not in ("auto", "float16"):
            raise Refused(f"dtype: {self.dtype}; the loader knows float16 only")
        return {"load_8bit": self.quantize == "int8", "load_4bit": self.quantize == "nf4"}


class Clip:
    """The frames of one video or image; ``times`` in seconds, one a frame."""

    def __init__(self, message):
        self.times = [float(each) for each in message["times"]]
        self.fps, self.duration = float(message["fps"]), float(message["duration"])
        self._message = message
        if len(self) != len(self.times):
            raise Refused(f"{len(self)} frames with {len(self.times)} timestamps")

    def __len__(self):
        if "png" in self._message:
            return len(self._message["png"])
        return int(self._message["shape"][0])

    def images(self):
        """Pillow images, RGB."""
        from PIL import Image

        if "png" not in self._message:
            return [Image.fromarray(frame) for frame in self.array()]
        raw = [base64.b64decode(text, validate=True) for text in self._message["png"]]
        return [Image.open(io.BytesIO(data)).convert("RGB") for data in raw]

    def array(self):
        """One array, uint8, frames x height x width x 3."""
        import numpy

        if "png" in self._message:
            return numpy.stack([numpy.asarray(image) for image in self.images()])
        raw = base64.b64decode(self._message["array"], validate=True)
        return numpy.frombuffer(raw, numpy.uint8).reshape(self._message["shape"]).copy()


class Ask:
    """One request: ``system``, ``messages`` of user and assistant, ``clips``, the settings of
    generation, and ``continuations`` to be weighed."""

    def __init__(self, message):
        self.id = _text(message, "id")
        self.kind = message.get("output_type", "generate")
        self.system = _text(message, "system")
        self.messages = [(_text(m, "role"), _text(m, "content")) for m in message["messages"]]
        if not self.messages or self.messages[-1][0] != "user":
            raise Refused("the last message is not the user's")
        self.clips = [Clip(clip) for clip in message["clips"]]
        self.continuations = [str(each) for each in message.get("continuations", ())]
        wanted = message["settings"]
        self.max_new_tokens = int(wanted["max_new_tokens"])
        self.temperature, self.top_p = float(wanted["temperature"]), float(wanted["top_p"])
        self.top_k, self.seed = int(wanted["top_k"]), int(wanted["seed"])
        self.stop = [str(each) for each in wanted["stop"]]

    @property
    def question(self):
        """The last message."""
        return self.messages[-1][1]

    def one_clip(self):
        """The only clip, for systems that take just one."""
        if len(self.clips) != 1:
            raise Refused(f"needs exactly one video or image, got {len(self.clips)}")
        return self.clips[0]

    def sampling(self):
        """Keyword arguments of transformers' generate: greedy at temperature 0."""
        if self.temperature == 0:
            return {"do_sample": False, "num_beams": 1}
        return {
            "do_sample": True,
            "num_beams": 1,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
        }


class Clock:
    """A `streamer` for transformers' generate that finds out when the first token came."""

    def __init__(self):
        self.began, self.first, self._prompt = time.perf_counter(), None, True

    def put(self, _value):
        """The prompt first, then each token."""
        if self._prompt:
            self._prompt = False
        elif self.first is None:
            self.first = time.perf_counter()

    def end(self):
        """Nothing is printed."""

    def stages(self):
        """Milliseconds until the first token, and from there until now."""
        now = time.perf_counter()
        first = self.first or self.began
        return {"prefill_ms": (first - self.began) * 1e3, "generate_ms": (now - first) * 1e3}


def merge_lora(model, folder):
    """A PEFT adapter, and what LLaVA's training saves beside it, merged into a loaded model."""
    import torch
    from peft import PeftModel

    beside = os.path.join(folder, "non_lora_trainables.bin")
    if os.path.exists(beside):
        weights = torch.load(beside, map_location="cpu")
        named = {_without(name, "base_model."): value for name, value in weights.items()}
        if any(name.startswith("model.model.") for name in named):
            named = {_without(name, "model."): value for name, value in named.items()}
        model.load_state_dict(named, strict=False)
    return PeftModel.from_pretrained(model, folder).merge_and_unload()


def _without(name, beginning):
    return name[len(beginning) :] if name.startswith(beginning) else name


# --------------------------------------------------------------------------- the protocol


def serve(system):
    """Greet, load, answer until the harness closes our standard input; never returns."""
    send = _private_output()
    lines = _private_input()
    system.send = send  # for workers that misbehave on purpose, in tests
    send(
        type="hello",
        protocol=PROTOCOL,
        worker=system.name,
        capabilities=list(system.capabilities),
        versions=versions(system.libraries),
    )
    first = lines.get()
    if first is not END and _start(system, send, first):
        while True:
            line = lines.get()
            if line is END:
                break
            _answer(system, send, line)
    _leave()


def versions(libraries):
    """Python's version, and those of libraries that are installed; nothing is imported."""
    from importlib import metadata

    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _start(system, send, line):
    began = time.perf_counter()
    try:
        message = json.loads(line)
        if message.get("protocol") != PROTOCOL:
            raise Refused(f"speaks protocol {PROTOCOL}, was asked for {message.get('protocol')}")
        system.load(Settings(message))
    except Exception as error:
        _trace()
        send(type="failed", error=_said(error))
        return False
    send(type="ready", load_ms=(time.perf_counter() - began) * 1e3)
    return True


def _answer(system, send, line):
    try:
        message = json.loads(line)
        listed = message["requests"]
    except (ValueError, KeyError, TypeError):
        send(type="reply", id=None, error="not a line of the protocol")
        return
    asks = []
    for each in listed:
        try:
            asks.append(Ask(each))
        except Exception as error:
            named = each.get("id") if isinstance(each, dict) else None
            send(type="reply", id=named, error=f"bad request: {_said(error)}")
    if len(asks) > 1 and "batch" in system.capabilities:
        _together(system, send, asks)
        return
    for ask in asks:
        _alone(system, send, ask)


def _alone(system, send, ask):
    began = time.perf_counter()
    try:
        if ask.kind == "choices":
            pairs = list(system.choices(ask))
            logprobs, tokens = [float(p) for p, _ in pairs], [int(n) for _, n in pairs]
            took = (time.perf_counter() - began) * 1e3
            stages = {"prefill": took}
            send(type="reply", id=ask.id, logprobs=logprobs, tokens=tokens, stages=stages)
        elif ask.kind == "generate":
            _tell(send, ask, system.generate(ask), (time.perf_counter() - began) * 1e3)
        else:
            raise Refused(f"output_type {ask.kind!r} is unknown here")
    except Exception as error:
        _failed(send, [ask], error)


def _together(system, send, asks):
    began = time.perf_counter()
    try:
        answers = list(system.generate_batch(asks))
        if len(answers) != len(asks):
            raise ValueError(f"{len(answers)} answers to {len(asks)} requests")
        took = (time.perf_counter() - began) * 1e3 / len(asks)
        for ask, answer in zip(asks, answers):  # noqa: B905 - Python 3.8 has no strict
            _tell(send, ask, answer, took)
    except Exception as error:
        _failed(send, asks, error)


def _tell(send, ask, answer, took):
    stages = {name: ms for name, ms in answer.stages.items() if ms is not None}
    send(
        type="reply",
        id=ask.id,
        text=answer.text,
        finish=answer.finish,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        stages=stages or {"generate": took},
        memory_mb=memory_mb(),
    )


def memory_mb():
    """Peak so far, in MB (10^6 bytes): of CUDA where torch uses it, else of this process."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_available() and cuda.max_memory_allocated():
        return cuda.max_memory_allocated() / 1e6
    try:  # getrusage would count what the harness had before it became this process
        with open("/proc/self/status") as lines:
            found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(found[0]) * 1024 / 1e6
    except (OSError, LookupError, ValueError):
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return peak if sys.platform == "darwin" else peak * 1024


def _failed(send, asks, error):
    _trace()
    for ask in asks:
        send(type="reply", id=ask.id, error=_said(error))
    text = str(error).lower()
    torch = sys.modules.get("torch")
    if torch is not None and "out of memory" in text and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif "cuda error" in text:
        os._exit(BROKEN_DEVICE)


def _said(error):
    """One line; the exception's name where the message alone says little."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, Refused) else f"{type(error).__name__}: {text}"


def _text(message, key):
    value = message[key]
    if not isinstance(value, str):
        raise Refused(f"'{key}' is no text")
    return value


def _private_output():
    """A function that writes a line where the harness reads; whatever else writes to standard
    output, C libraries included, writes to standard error from now on."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    lock = threading.Lock()

    def send(**message):
        line = json.dumps(message).encode("ascii") + b"\n"
        try:
            with lock:
                out.write(line)
                out.flush()
        except BrokenPipeError:  # nobody reads any more: an exception would end us alone
            _leave()

    return send


def _private_input():
    """A queue of the harness's lines; ``END`` after the last. When the harness is gone, a request
    at work is given a moment, and then this process ends."""
    source = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a library that asks a question gets no line of ours
    os.close(nothing)
    lines = queue.Queue()

    def read():
        for line in source:
            lines.put(line)
        lines.put(END)
        time.sleep(LEAVE_SECONDS)
        _leave()

    threading.Thread(target=read, daemon=True).start()
    return lines


def _leave():
    """End this process, and with it what it started, if the harness made a group of us."""
    with contextlib.suppress(OSError, ValueError):  # who would have read it may be gone
        sys.stderr.flush()
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _trace():
    """The traceback of the present exception, on standard error if somebody reads it."""
    with contextlib.suppress(OSError, ValueError):
        traceback.print_exc()
