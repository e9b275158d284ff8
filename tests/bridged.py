"""Cards of workers that the tests wrote, run by this very interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.collect.specs import BridgeModel
from harness.records import GenerateSettings, Request

STANDINS = Path(__file__).resolve().parent / "adapters" / "standins"


def bridge_card(folder: Path, worker: str = "echo_worker", **settings: object) -> BridgeModel:
    """A card in ``folder``; ``worker`` is a script of the stand-ins, or a bundled worker."""
    script = STANDINS / f"{worker}.py"
    fields: dict[str, object] = {
        "python": sys.executable,
        "worker": str(script) if script.is_file() else worker,
        "base": "some/model",
        "system": "Be brief.",
        "conversation": "plain",
        **settings,
    }
    card = BridgeModel.model_validate({"model": "bridged", "adapter": "bridge", **fields})
    lines = "".join(f"{key}: {value}\n" for key, value in fields.items() if key != "options")
    card.located(folder / "bridged.model.yaml", f"model: bridged\nadapter: bridge\n{lines}", folder)
    return card


def asked(*prompts: str, **more: object) -> list[Request]:
    """One request a prompt, named after it."""
    settings = GenerateSettings(max_new_tokens=16)
    return [
        Request(f"{number}-{prompt}", "generate", prompt, settings=settings, **more)  # type: ignore[arg-type]
        for number, prompt in enumerate(prompts)
    ]
