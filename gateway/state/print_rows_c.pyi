from array import array
from mmap import mmap

def most_hit(
    memory: mmap, prints: bytes | array[int], salt: int, first: int, last: int, /
) -> list[int]: ...
def add(
    memory: mmap, prints: bytes | array[int], salt: int, number: int, first: int, /
) -> None: ...
def shared(prints: bytes | array[int], others: bytes | array[int], /) -> int: ...
