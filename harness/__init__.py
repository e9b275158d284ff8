"""tune-harness: a test runner for models."""


def __getattr__(name: str) -> str:
    # importlib.metadata costs 20 ms, and `harness --help` does not need it
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version("tune-harness")
        except metadata.PackageNotFoundError:  # a source tree that was never installed
            return "0.0.0"
    raise AttributeError(name)
