"""What Db2 tells of the tables that stand in it."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.catalog_reflection import Catalog, lowered

_OURS: Final = "TABSCHEMA = CURRENT_SCHEMA"

CATALOG: Final = Catalog(
    columns=(
        "SELECT c.TABNAME, c.COLNAME, c.TYPENAME, c.LENGTH, CASE c.NULLS WHEN 'N' THEN 1 ELSE 0 END"
        " FROM SYSCAT.COLUMNS AS c JOIN SYSCAT.TABLES AS t ON t.TABSCHEMA = c.TABSCHEMA AND t.TABNAME = c.TABNAME"
        f" WHERE t.{_OURS} AND t.TYPE = 'T' ORDER BY c.TABNAME, c.COLNO"
    ),
    keys=(
        "SELECT u.TABNAME, u.COLNAME FROM SYSCAT.KEYCOLUSE AS u JOIN SYSCAT.TABCONST AS c"
        " ON c.TABSCHEMA = u.TABSCHEMA AND c.TABNAME = u.TABNAME AND c.CONSTNAME = u.CONSTNAME"
        f" WHERE c.{_OURS} AND c.TYPE = 'P' ORDER BY u.TABNAME, u.COLSEQ"
    ),
    # A column that an index only brings along is none that it is over.
    indexes=(
        "SELECT i.TABNAME, i.INDNAME, u.COLNAME, CASE i.UNIQUERULE WHEN 'D' THEN 0 ELSE 1 END"
        " FROM SYSCAT.INDEXES AS i JOIN SYSCAT.INDEXCOLUSE AS u"
        " ON u.INDSCHEMA = i.INDSCHEMA AND u.INDNAME = i.INDNAME"
        f" WHERE i.{_OURS} AND u.COLORDER <> 'I' ORDER BY i.TABNAME, i.INDNAME, u.COLSEQ"
    ),
    references=(
        "SELECT r.TABNAME, r.CONSTNAME, u.COLNAME, r.REFTABNAME, p.COLNAME,"
        " CASE r.DELETERULE WHEN 'C' THEN 'CASCADE' WHEN 'N' THEN 'SET NULL' WHEN 'R' THEN 'RESTRICT'"
        " ELSE 'NO ACTION' END FROM SYSCAT.REFERENCES AS r JOIN SYSCAT.KEYCOLUSE AS u"
        " ON u.TABSCHEMA = r.TABSCHEMA AND u.TABNAME = r.TABNAME AND u.CONSTNAME = r.CONSTNAME"
        " JOIN SYSCAT.KEYCOLUSE AS p ON p.TABSCHEMA = r.REFTABSCHEMA AND p.TABNAME = r.REFTABNAME"
        " AND p.CONSTNAME = r.REFKEYNAME AND p.COLSEQ = u.COLSEQ"
        f" WHERE r.{_OURS} ORDER BY r.TABNAME, r.CONSTNAME, u.COLSEQ"
    ),
    plain=lowered,
)
