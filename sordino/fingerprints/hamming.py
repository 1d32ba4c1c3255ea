"""Counting bits, as kernels do it: `ones(a ^ b)` is the Hamming distance of two words."""

from typing import Any

from numba import types
from numba.extending import intrinsic


def _population_count(typing_context: Any, word: Any) -> Any:
    """Say how numba compiles the count of set bits: to the processor's own instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


ones: Any = intrinsic(_population_count)
