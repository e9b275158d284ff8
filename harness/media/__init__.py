"""Files to frames: a video or an image becomes the pictures that a model is shown.

sampling (which times are wanted; pure) -> timeline (which frames a file has, from its packets)
-> decode (the wanted frames, resized, in one pass) -> cache (decoded once for all that share it)
-> ahead (decoding while the model works) -> degrade (worse pictures, on purpose)
"""
