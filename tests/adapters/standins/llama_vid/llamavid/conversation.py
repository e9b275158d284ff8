from enum import Enum

from standin import Conversation


class SeparatorStyle(Enum):
    SINGLE = 1
    TWO = 2


class TwoSeparators(Conversation):
    def copy(self):
        return TwoSeparators(self.system, self.roles, self.sep_style, self.sep, self.sep2)

    def get_prompt(self):
        text = self.system + self.sep
        for number, (role, message) in enumerate(self.messages):
            end = (self.sep, self.sep2)[number % 2]
            text += f"{role}: {message}{end}" if message else f"{role}:"
        return text


vicuna = TwoSeparators("UPSTREAM", ("USER", "ASSISTANT"), SeparatorStyle.TWO, " ", "</s>")
conv_templates = {"vicuna_v1": vicuna, "imgsp_v1": vicuna}
