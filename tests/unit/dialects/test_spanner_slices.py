"""What a migration says over all rows of a table is cut; nothing else is."""

from __future__ import annotations

import pytest

from octonet.dialects.engine.spanner_slices import sliced

COPY = "INSERT INTO `octonet_rebuilt` (`id`, `v`) SELECT `id`, `o_octonet_0` FROM `items`"
LINKS = "INSERT INTO `octonet_rebuilt` (`thingId`, `tagId`) SELECT `itemId`, `tagId` FROM `items_tags`"
NOTE = "INSERT INTO `octonet_undo` (`number`, `id`) SELECT 7, `id` FROM `items` WHERE `items`.`v` IS NULL"
FILL = "UPDATE `items` SET `v`=@p1 WHERE `items`.`v` IS NULL"
NOTED = "(SELECT `id` FROM `octonet_undo` WHERE `number` = 7)"
EMPTY = f"UPDATE `items` SET `v` = NULL WHERE `id` IN {NOTED}"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            COPY,
            f"{COPY} WHERE `id` > COALESCE((SELECT MAX(`id`) FROM `octonet_rebuilt`), '') ORDER BY `id` LIMIT 1",
        ),
        (
            LINKS,
            f"{LINKS} WHERE NOT EXISTS (SELECT 1 FROM `octonet_rebuilt` AS there WHERE there.`thingId` ="
            " `items_tags`.`itemId` AND there.`tagId` = `items_tags`.`tagId`) LIMIT 1",
        ),
        (
            NOTE,
            f"{NOTE} AND `id` > COALESCE((SELECT MAX(`id`) FROM `octonet_undo` WHERE `number` = 7), '') ORDER BY `id`"
            " LIMIT 1",
        ),
        (FILL, f"{FILL} AND `id` IN (SELECT each.`id` FROM `items` AS each WHERE each.`v` IS NULL LIMIT 1)"),
        (
            EMPTY,
            "UPDATE `items` SET `v` = NULL WHERE `id` IN (SELECT each.`id` FROM `items` AS each WHERE each.`v` IS NOT"
            f" NULL AND each.`id` IN {NOTED} LIMIT 1)",
        ),
    ],
)
def test_a_statement_over_all_rows_is_cut(text: str, part: str) -> None:
    assert sliced(text, 0) == part


def test_a_part_has_as_many_rows_as_there_is_room_for_their_cells() -> None:
    assert str(sliced(COPY, 24_000)).endswith(" LIMIT 2000")


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO `octonet_undo` (`number`, `id`, `statement`) VALUES (@p1, @p2, @p3)",
        "UPDATE `octonet_checkpoint` SET `entry`=@p1 WHERE true",
        "DELETE FROM `octonet_schema` WHERE true",
        "DELETE FROM `octonet_undo` WHERE `octonet_undo`.`number` > 0 AND `octonet_undo`.`statement` IS NOT NULL",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert sliced(text, 0) is None
