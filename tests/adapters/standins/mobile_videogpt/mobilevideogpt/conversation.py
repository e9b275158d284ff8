from standin import Conversation


class ChatML(Conversation):
    def copy(self):
        return ChatML(self.system, self.roles, self.sep_style, self.sep)

    def get_prompt(self):
        text = f"{self.system}{self.sep}\n" if self.system else ""
        for role, message in self.messages:
            text += f"{role}\n{message}{self.sep}\n" if message else f"{role}\n"
        return text


roles = ("<|im_start|>user", "<|im_start|>assistant")
conv_templates = {"qwen2_instruct": ChatML("UPSTREAM", roles, "chatml", "<|im_end|>")}
