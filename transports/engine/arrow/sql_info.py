"""What a Flight SQL client may ask of the server itself, in the dense union that the protocol wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from octonet import __version__
from octonet.kernel.operation import Raw

_VALUE: Final = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(pa.string())),
        pa.field(
            "int32_to_int32_list_map",
            pa.map_(pa.int32(), pa.list_(pa.int32())),
        ),
    ]
)
SCHEMA: Final = pa.schema([pa.field("info_name", pa.uint32(), False), pa.field("value", _VALUE, False)])
_STRING, _BOOL, _BIGINT, _BITMASK, _LIST = range(5)
_INFO: Final[Mapping[int, tuple[int, Raw]]] = {
    0: (_STRING, "Octonet"),
    1: (_STRING, __version__),
    2: (_STRING, pa.__version__),
    3: (_BOOL, True),  # read only
    4: (_BOOL, True),  # SQL
    5: (_BOOL, False),  # Substrait
    8: (_BITMASK, 0),  # no transactions
    9: (_BOOL, True),  # statements can be cancelled
    10: (_BOOL, False),  # bulk ingestion by statement
    100: (_BIGINT, 0),
    101: (_BIGINT, 0),
    500: (_BOOL, False),  # DDL of catalogs
    501: (_BOOL, False),
    502: (_BOOL, False),
    503: (_BIGINT, 1),  # names as they are, whatever their case
    504: (_STRING, '"'),
    505: (_BIGINT, 1),
    506: (_BOOL, True),  # nulls sort by their own rule
    508: (_LIST, []),
    509: (_LIST, []),
    510: (_LIST, []),
    511: (_LIST, []),
    512: (_STRING, "\\"),
    513: (_STRING, ""),
    517: (_BOOL, True),  # aliases of columns
    529: (_STRING, "main"),
    530: (_STRING, ""),
    531: (_STRING, "project"),
    541: (_BIGINT, 65_536),
}
"""Number of the information → place of its value in the union, and the value."""


def table(wanted: Sequence[int]) -> pa.Table:
    """The information of these numbers, or all of it where none is named."""
    names = [name for name in (wanted or _INFO) if name in _INFO]
    held: list[list[Raw]] = [[] for _ in range(_VALUE.num_fields)]
    types, offsets = [], []
    for name in names:
        place, value = _INFO[name]
        types.append(place)
        offsets.append(len(held[place]))
        held[place].append(value)
    children = [pa.array(values, _VALUE.field(place).type) for place, values in enumerate(held)]
    union = pa.UnionArray.from_dense(
        pa.array(types, pa.int8()),
        pa.array(offsets, pa.int32()),
        children,
        [_VALUE.field(place).name for place in range(_VALUE.num_fields)],
    )
    return pa.Table.from_arrays([pa.array(names, pa.uint32()), union], schema=SCHEMA)
