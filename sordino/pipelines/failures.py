"""
The three ways to fail: busy (wait and try again), poison (this input never works), bug (anything else: stop).

Whoever calls the outside sorts its errors into the first two; what is not sorted is a bug and stops the worker
before anything is committed.
"""


class Busy(Exception):  # noqa: N818 - the house word
    """
    Something that is needed is away or overloaded (broker, database, storage): the same input is tried again later.

    `patience_s` is how long to go on trying before the input counts as poison; None means for ever.
    """

    def __init__(self, code: str, message: str, patience_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.patience_s = patience_s


class Poison(Exception):  # noqa: N818 - the house word
    """The input can never be worked on; `code` is a snake_case word, the message one line that names the culprit."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
