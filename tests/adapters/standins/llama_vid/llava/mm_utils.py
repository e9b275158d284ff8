from standin import check, check_tensor, image_tokens


def tokenizer_image_token(prompt, tokenizer, image_token_index=-200, return_tensors=None):
    return image_tokens(prompt, tokenizer, image_token_index, return_tensors, start=True)


class KeywordsStoppingCriteria:
    def __init__(self, keywords, tokenizer, input_ids):
        import torch

        check(keywords == ["</s>"], f"stops at {keywords}")
        check_tensor(input_ids, (1, None), torch.long, "input ids")
        self.keywords = keywords
