"""What SQL Server tells of the tables that stand in it."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.catalog_reflection import Catalog

_OF_INDEXES: Final = (
    " FROM sys.indexes AS i JOIN sys.tables AS t ON t.object_id = i.object_id"
    " JOIN sys.index_columns AS u ON u.object_id = i.object_id AND u.index_id = i.index_id"
    " JOIN sys.columns AS c ON c.object_id = u.object_id AND c.column_id = u.column_id"
    " WHERE t.schema_id = SCHEMA_ID() AND u.is_included_column = 0"
)

CATALOG: Final = Catalog(
    # The type of a type that somebody made is the one that it was made of. N-types count two bytes for a letter.
    columns=(
        "SELECT t.name, c.name, y.name, CASE WHEN c.max_length > 0 AND y.name LIKE 'n%' THEN c.max_length / 2"
        " ELSE c.max_length END, CASE c.is_nullable WHEN 1 THEN 0 ELSE 1 END FROM sys.tables AS t"
        " JOIN sys.columns AS c ON c.object_id = t.object_id JOIN sys.types AS y ON y.user_type_id = c.system_type_id"
        " WHERE t.schema_id = SCHEMA_ID() ORDER BY t.name, c.column_id"
    ),
    keys=f"SELECT t.name, c.name{_OF_INDEXES} AND i.is_primary_key = 1 ORDER BY t.name, u.key_ordinal",
    # An index over some of the rows is none over its columns alone.
    indexes=(
        "SELECT t.name, i.name, CASE i.has_filter WHEN 1 THEN '' ELSE c.name END,"
        f" CASE i.is_unique WHEN 1 THEN 1 ELSE 0 END{_OF_INDEXES} ORDER BY t.name, i.name, u.key_ordinal"
    ),
    references=(
        "SELECT t.name, f.name, c.name, p.name, d.name, f.delete_referential_action_desc FROM sys.foreign_keys AS f"
        " JOIN sys.foreign_key_columns AS u ON u.constraint_object_id = f.object_id"
        " JOIN sys.tables AS t ON t.object_id = f.parent_object_id"
        " JOIN sys.columns AS c ON c.object_id = t.object_id AND c.column_id = u.parent_column_id"
        " JOIN sys.tables AS p ON p.object_id = f.referenced_object_id"
        " JOIN sys.columns AS d ON d.object_id = p.object_id AND d.column_id = u.referenced_column_id"
        " WHERE t.schema_id = SCHEMA_ID() ORDER BY t.name, f.name, u.constraint_column_id"
    ),
)
