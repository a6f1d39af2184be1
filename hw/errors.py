"""Errors that every part of macloom may raise (floor 0)."""


class MissingTool(RuntimeError):
    """An outside tool is not installed; the message says how to install it."""

    def __init__(self, tool: str, install: str) -> None:
        super().__init__(f"{tool} is not installed; install it with: {install}")
        self.tool = tool
        self.install = install

    def __reduce__(self) -> tuple[type["MissingTool"], tuple[str, str]]:
        """Keep both parts when a worker process sends the error home."""
        return MissingTool, (self.tool, self.install)
