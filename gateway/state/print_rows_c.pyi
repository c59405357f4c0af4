from array import array
from mmap import mmap

def hits(memory: mmap, prints: bytes | array[int], salt: int, /) -> list[int]: ...
def add(
    memory: mmap, prints: bytes | array[int], salt: int, number: int, first: int, /
) -> None: ...
