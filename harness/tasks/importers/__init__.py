"""Data sets as their authors distribute them, to the JSON lines that a task's `data.path` names.

One module a data set; `registry.py` says which. Each reads annotations and the names of files,
never a picture or a video, and yields `Record`s; `importing.py` does the rest, alike for all.
"""
