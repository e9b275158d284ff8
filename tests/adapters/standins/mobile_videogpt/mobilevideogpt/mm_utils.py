from standin import image_tokens


def tokenizer_image_token(prompt, tokenizer, image_token_index=-200, return_tensors=None):
    return image_tokens(prompt, tokenizer, image_token_index, return_tensors, start=False)


def get_model_name_from_path(model_path):
    return model_path.strip("/").split("/")[-1]
