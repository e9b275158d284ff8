disabled = False


def disable_torch_init():
    global disabled
    disabled = True
