"""Python values to Arrow arrays and back, by way of their buffers.

``pyarrow.array`` asks of whatever it is given whether it is a pandas Series, and imports pandas to
find out: 0.15 CPU-s in every process that stores a run, for nothing. ``to_pylist`` makes an object
of each value before it makes the value. The layout is that of the Arrow columnar format,
https://arrow.apache.org/docs/format/Columnar.html.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

KEY_BYTES = 32
_NUMBERS = {"int16": "h", "int32": "i", "float32": "f", "float64": "d"}
"""kind -> type code of `array.array`, which refuses fractions and overflow where they cannot be."""
_DTYPES = {"float": "float32", "double": "float64"}
_DTYPES |= {name: name for name in ("int16", "int32", "int64", "uint64")}
"""Arrow's name of a type -> numpy's."""
BATCH = 4096  # rows that are Python values at once


def type_of(kind: str) -> pa.DataType:
    """The Arrow type that a kind stands for; "dict" is a string with few distinct values."""
    import pyarrow as pa

    if kind.startswith("list<"):
        return pa.list_(type_of(_inner(kind)))
    types: dict[str, Callable[[], pa.DataType]] = {
        "dict": lambda: pa.dictionary(pa.int32(), pa.string()),
        "string": pa.string,
        "bool": pa.bool_,
        "int16": pa.int16,
        "int32": pa.int32,
        "float32": pa.float32,
        "float64": pa.float64,
        "binary32": lambda: pa.binary(KEY_BYTES),
        "criterion": lambda: pa.struct([("name", pa.string()), ("value", pa.float64())]),
    }
    return types[kind]()


def make_array(values: Sequence[Any], kind: str) -> pa.Array:
    """An array of a kind; None is null.

    A list is any sequence, a criterion a pair of name and value that is never null. Raises
    TypeError, ValueError or OverflowError for a value that the type cannot hold.
    """
    import pyarrow as pa

    if kind == "dict":
        codes: dict[str, int] = {}
        rows = [None if v is None else codes.setdefault(v, len(codes)) for v in values]
        indices = make_array(rows, "int32")
        return pa.DictionaryArray.from_arrays(indices, make_array(list(codes), "string"))
    children: list[pa.Array] = []
    if kind == "string":
        texts = [b"" if value is None else value.encode() for value in values]
        buffers = [_offsets(texts), b"".join(texts)]
    elif kind == "bool":
        buffers = [_bits(values)]
    elif kind == "binary32":
        keys = [bytes(KEY_BYTES) if value is None else value for value in values]
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a key that has not {KEY_BYTES} bytes")
        buffers = [b"".join(keys)]
    elif kind == "criterion":
        children = [
            make_array([name for name, _ in values], "string"),
            make_array([number for _, number in values], "float64"),
        ]
        buffers = []
    elif kind.startswith("list<"):
        lists = [() if value is None else value for value in values]
        children = [make_array(list(chain.from_iterable(lists)), _inner(kind))]
        buffers = [_offsets(lists)]
    else:
        buffers = [array(_NUMBERS[kind], [0 if value is None else value for value in values])]
    known = [value is not None for value in values]
    parts = [None if all(known) else _bits(known), *buffers]
    wrapped = [None if part is None else pa.py_buffer(part) for part in parts]
    return pa.Array.from_buffers(type_of(kind), len(values), wrapped, children=children)


def make_table(kinds: Mapping[str, str], parts: Iterable[Mapping[str, Sequence[Any]]]) -> pa.Table:
    """A table with these columns, from parts that each hold some rows of all of them."""
    import pyarrow as pa

    schema = pa.schema([(column, type_of(kind)) for column, kind in kinds.items()])
    batches = [
        pa.RecordBatch.from_arrays(
            [make_array(part[column], kind) for column, kind in kinds.items()], schema=schema
        )
        for part in parts
    ]
    return pa.Table.from_batches(batches, schema=schema).unify_dictionaries()


def _inner(kind: str) -> str:
    return kind.removeprefix("list<").removesuffix(">")


def _offsets(items: Iterable[Sequence[object]]) -> array[int]:
    return array("i", accumulate(map(len, items), initial=0))


def _bits(values: Sequence[object]) -> bytes:
    """One bit a value, the first one lowest; None is false."""
    import numpy as np

    return np.packbits(np.array(values, dtype=bool), bitorder="little").tobytes()


# --------------------------------------------------------------------------- and back


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table, as its ``to_pylist`` gives them, a few thousand in memory at once."""
    for batch in table.to_batches(max_chunksize=BATCH):
        columns = [values_of(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, row, strict=True))


def values_of(found: pa.Array) -> list[Any]:
    """The values of an array, as its ``to_pylist`` gives them; equal words are one object."""
    import numpy as np
    import pyarrow as pa

    start, stop = found.offset, found.offset + len(found)
    dtype, buffers = _DTYPES.get(str(found.type)), found.buffers()
    values: list[Any]
    if not len(found):
        return []
    if pa.types.is_dictionary(found.type):
        words = values_of(found.dictionary)
        return [None if at is None else words[at] for at in values_of(found.indices)]
    if dtype is not None:
        values = np.frombuffer(buffers[1], dtype)[start:stop].tolist()
    elif pa.types.is_string(found.type):
        body = memoryview(buffers[2] or b"")
        values = [str(body[a:b], "utf-8") for a, b in pairwise(_ends(buffers[1], start, stop))]
    elif pa.types.is_list(found.type):
        ends = _ends(buffers[1], start, stop)
        inner = values_of(found.values.slice(ends[0], ends[-1] - ends[0]))
        values = [inner[a - ends[0] : b - ends[0]] for a, b in pairwise(ends)]
    else:
        values = found.to_pylist()
    if not found.null_count:
        return values
    known = _unpacked(buffers[0], start, stop)
    return [value if there else None for value, there in zip(values, known, strict=True)]


def numbers_of(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """The numbers of a column as numpy has them, nan for null (of integers, there is no null);
    pyarrow's own ``to_numpy`` imports pandas."""
    import numpy as np
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        empty = np.zeros(0, dtype=_DTYPES[str(column.type)])
        return np.concatenate([empty, *map(numbers_of, column.chunks)])
    start, stop = column.offset, column.offset + len(column)
    buffers = column.buffers()
    found = np.frombuffer(buffers[1] or b"", _DTYPES[str(column.type)])[start:stop]
    if not column.null_count:
        return found
    known = np.array(_unpacked(buffers[0], start, stop), dtype=bool)
    return np.where(known, found, np.nan)


def places_of(numbers: NDArray[Any]) -> pa.Array:
    """Numbers of places as an array for ``take``; ``pyarrow.array`` imports pandas."""
    import numpy as np
    import pyarrow as pa

    body = np.ascontiguousarray(numbers, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(body), [None, pa.py_buffer(body)])


def _ends(buffer: pa.Buffer, start: int, stop: int) -> list[int]:
    ends: list[int] = memoryview(buffer).cast("B").cast("i")[start : stop + 1].tolist()
    return ends


def _unpacked(buffer: pa.Buffer, start: int, stop: int) -> list[int]:
    import numpy as np

    some = np.frombuffer(buffer, dtype=np.uint8)[start // 8 : -(-stop // 8)]
    bits: list[int] = np.unpackbits(some, bitorder="little").tolist()
    return bits[start % 8 :][: stop - start]
