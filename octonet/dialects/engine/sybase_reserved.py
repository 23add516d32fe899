"""How names are spelled on SAP ASE: what renames something there takes no quotes, and no reserved words. A name that
is one, but for underscores at its end, gets one more; a hyphen, which collections may have, becomes a dollar sign,
which no name has."""

from __future__ import annotations

import re
from typing import Final

from octonet.kernel.errors import Invalid

_WORDS: Final = """
absolute action add after alias all allocate alter and any are arith_overflow array as asc assertion at
authorization avg before begin between binary bit blob boolean both breadth break browse bulk by call cascade
cascaded case cast catalog char char_convert character check checkpoint class clob close clustered coalesce collate
collation column commit completion compute confirm connect connection constraint constraints constructor continue
controlrow convert corresponding count count_big create cross cube current current_date current_path current_role
current_time current_timestamp current_user cursor cycle data database date day dbcc deallocate dec decimal declare
decrypt default deferrable deferred delete depth deref desc describe descriptor destroy destructor deterministic
diagnostics dictionary disconnect disk distinct domain double drop dual_control dummy dump dynamic each else encrypt
end endtran equals errlvl errordata errorexit escape every except exception exclusive exec execute exists exit
exp_row_size external extract false fetch fillfactor first float for foreign found free from full func function
general get global go goto grant group grouping having holdlock host hour identity identity_gap identity_start if
ignore immediate in index indicator initialize initially inner inout input insensitive insert install int integer
intersect interval into is isolation iterate jar join key kill language large last lateral leading left less level
like limit lineno load local localtime localtimestamp locator lock lower map match matched materialized max
max_rows_per_page merge min minute mirror mirrorexit modifies modify module month names national natural nchar nclob
new next no noholdlock non_sensitive nonclustered none nonscrollable not null nullif numeric numeric_truncation
object octet_length of off offset offsets old on once online only open operation option or order ordinality out
outer output over overlaps pad parameter parameters partial partition path perm permanent plan position postfix
precision prefix preorder prepare preserve primary print prior privileges proc procedure processexit proxy_table
public quiesce raiserror read readpast reads readtext real reconfigure recursive ref references referencing relative
release_locks_on_close remove reorg replace replication reservepagegap restrict result return returns revoke right
role rollback rollup routine row rowcount rows rule save savepoint schema scope scroll scrollable search second
section select semi_sensitive sequence session session_user set sets setuser shared shutdown size smallint some
space specific specifictype sql sqlcode sqlerror sqlexception sqlstate sqlwarning start state statement static
statistics stringsize stripe structure substring sum syb_identity syb_restree syb_terminate system_user table temp
temporary terminate textsize than then time timestamp timezone_hour timezone_minute to top tracefile trailing tran
transaction translate translation treat trigger trim true truncate tsequal under union unique unknown unnest
unpartition update upper usage use user user_option using value values varchar variable varying view waitfor when
whenever where while with without work write writetext xmlextract xmlparse xmltable xmltest xmlvalidate year zone
"""
"""ASE's own, and those of the standard, which it may take from it: one too many does no harm."""
_RESERVED: Final = frozenset(_WORDS.split())
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def spelled(name: str) -> str:
    """As it is called in the database. Raises `Invalid` for what ASE would have to quote."""
    found = begun(name)
    return f"{found}_" if found.rstrip("_").lower() in _RESERVED else found


def begun(prefix: str) -> str:
    """What names begin with. Raises `Invalid` for what ASE would have to quote."""
    found = prefix.replace("-", "$")
    if found and not _IDENTIFIER.fullmatch(found):
        raise Invalid(f"the database has no names but of letters without marks, digits and underscores: {prefix!r}")
    return found
