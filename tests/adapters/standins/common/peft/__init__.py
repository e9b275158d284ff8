"""Stand-in of peft: a LoRA that a model remembers."""

import os

from standin import check


class PeftModel:
    @classmethod
    def from_pretrained(cls, model, folder):
        check(os.path.isfile(os.path.join(folder, "adapter_config.json")), f"no LoRA in {folder}")
        wrapped = cls()
        wrapped.model, wrapped.folder = model, folder
        return wrapped

    def merge_and_unload(self):
        self.model.lora = os.path.basename(self.folder)
        return self.model
