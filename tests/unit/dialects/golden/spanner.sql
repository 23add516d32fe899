-- What Octonet says to spanner. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- A table's key stands behind its columns, a default in brackets; _version begins with a letter there. An index
-- says in small letters which of its columns take no nulls. A unique index leaves out rows with a null, and where
-- rows are deleted softly a column of its own is null for those.
CREATE TABLE `octonet_checkpoint` (
	`slot` INT64 NOT NULL,
	`entry` INT64 NOT NULL,
	`frame` INT64 NOT NULL,
	`digest` BYTES(64) NOT NULL,
	`schema` STRING(128) NOT NULL
) PRIMARY KEY (`slot`);

CREATE TABLE `octonet_inbox` (
	`command_id` STRING(255) NOT NULL,
	`entry` INT64 NOT NULL
) PRIMARY KEY (`command_id`);

CREATE TABLE `octonet_schema` (
	`slot` INT64 NOT NULL,
	`digest` STRING(128) NOT NULL,
	`source` STRING(MAX) NOT NULL,
	`standing` STRING(MAX) NOT NULL
) PRIMARY KEY (`slot`);

CREATE TABLE `people` (
	`id` STRING(255) NOT NULL,
	`name` STRING(MAX),
	`bio` STRING(MAX),
	`age` FLOAT64,
	`active` BOOL,
	`born` STRING(MAX),
	`settings` STRING(MAX),
	`labels` STRING(MAX),
	`password` STRING(MAX),
	`bossId` STRING(MAX),
	`createdAt` STRING(MAX),
	`updatedAt` STRING(MAX),
	`o_version` INT64 NOT NULL DEFAULT (0)
) PRIMARY KEY (`id`);

CREATE TABLE `groups` (
	`id` STRING(255) NOT NULL,
	`title` STRING(MAX),
	`o_version` INT64 NOT NULL DEFAULT (0)
) PRIMARY KEY (`id`);

CREATE TABLE `Order` (
	`id` STRING(255) NOT NULL,
	`select` STRING(MAX),
	`from` STRING(MAX),
	`group` STRING(MAX),
	`where` STRING(MAX),
	`limit` STRING(MAX),
	`returning` STRING(MAX),
	`values` STRING(MAX),
	`table` STRING(MAX),
	`index` STRING(MAX),
	`user` STRING(MAX),
	`key` STRING(MAX),
	`order` STRING(MAX),
	`o_version` INT64 NOT NULL DEFAULT (0)
) PRIMARY KEY (`id`);

CREATE TABLE `user` (
	`id` STRING(255) NOT NULL,
	`email` STRING(MAX) NOT NULL,
	`tenant` STRING(MAX),
	`number` FLOAT64,
	`o_version` INT64 NOT NULL DEFAULT (0)
) PRIMARY KEY (`id`);

CREATE TABLE `accounts` (
	`id` STRING(255) NOT NULL,
	`email` STRING(MAX),
	`balance` FLOAT64,
	`deletedAt` STRING(MAX),
	`o_version` INT64 NOT NULL DEFAULT (0)
) PRIMARY KEY (`id`);

CREATE TABLE `dogs` (
	`id` STRING(255) NOT NULL,
	`name` STRING(MAX),
	`kind` STRING(MAX),
	`o_version` INT64 NOT NULL DEFAULT (0)
) PRIMARY KEY (`id`);

CREATE TABLE `people_groups` (
	`personId` STRING(255) NOT NULL,
	`groupId` STRING(255) NOT NULL
) PRIMARY KEY (`personId`, `groupId`);

CREATE INDEX `idx_people_0` ON `people` (`age` DESC);

CREATE INDEX `idx_people_bossId_ref` ON `people` (`bossId` ASC);

CREATE INDEX `idx_Order_order_ref` ON `Order` (`order` ASC);

CREATE UNIQUE NULL_FILTERED INDEX `idx_user_0` ON `user` (`tenant` ASC, `number` ASC);

CREATE UNIQUE NULL_FILTERED INDEX `uidx_user_email` ON `user` (`email` ASC);

ALTER TABLE `accounts` ADD COLUMN IF NOT EXISTS `uidx_accounts_email_softdelete` BOOL AS (IF(`deletedAt` IS NULL, TRUE, NULL)) STORED;
CREATE UNIQUE NULL_FILTERED INDEX `uidx_accounts_email_softdelete` ON `accounts` (`email` ASC, `uidx_accounts_email_softdelete`);

CREATE INDEX `idx_people_groups_groupId` ON `people_groups` (`groupId` asc)

-- # get by id
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`o_version`
FROM `people`
WHERE `people`.`id` = @p1

-- # get of chosen fields
SELECT `people`.`id`, `people`.`name`, `people`.`age`, `people`.`o_version`
FROM `people`
WHERE `people`.`id` = @p1

-- # get of a row that may be soft-deleted
SELECT `accounts`.`id`, `accounts`.`email`, `accounts`.`balance`, `accounts`.`deletedAt`, `accounts`.`o_version`
FROM `accounts`
WHERE `accounts`.`id` = @p1 AND `accounts`.`deletedAt` IS NULL

-- # get by a discriminator
SELECT `dogs`.`id`, `dogs`.`name`, `dogs`.`kind`, `dogs`.`o_version`
FROM `dogs`
WHERE `dogs`.`id` = @p1 AND `dogs`.`kind` = @p2

-- # gets that travel together
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`o_version`
FROM `people`
WHERE `people`.`id` IN UNNEST (@p1)

-- # get with secrets
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`password`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`o_version`
FROM `people`
WHERE `people`.`id` = @p1

-- # version
SELECT `people`.`o_version`
FROM `people`
WHERE `people`.`id` = @p1

-- # page of everything
-- What is selected is looked for first behind ORDER BY, and may be called like the table: no table is named there.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people` ORDER BY `id` ASC
 LIMIT @p1

-- # page that is filtered, sorted and skipped to
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`age` >= @p1 ORDER BY `age` DESC, `name` ASC, `id` ASC
 LIMIT @p2 OFFSET @p3

-- # membership
-- One parameter for all values: 950 are taken.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` IN UNNEST (@p1) ORDER BY `id` ASC
 LIMIT @p2

-- # membership of numbers, negated
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`age` NOT IN UNNEST (@p1) ORDER BY `id` ASC
 LIMIT @p2

-- # null, and not null
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`bio` IS NULL OR `people`.`bio` IS NOT NULL ORDER BY `id` ASC
 LIMIT @p1

-- # and, or, not equal, a boolean
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE (`people`.`age` >= @p1 OR `people`.`active` = @p2) AND `people`.`name` != @p3 ORDER BY `id` ASC
 LIMIT @p4

-- # like
-- The backslash in the pattern is the escape, and there is no other.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` LIKE @p1 ORDER BY `id` ASC
 LIMIT @p2

-- # like, negated
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` NOT LIKE @p1 ORDER BY `id` ASC
 LIMIT @p2

-- # like, whatever the case
-- An expression of RE2's, which lists the cases of each letter.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE regexp_contains(`people`.`name`, @p1) ORDER BY `id` ASC
 LIMIT @p2

-- # like, whatever the case, beyond ASCII
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE regexp_contains(`people`.`name`, @p1) ORDER BY `id` ASC
 LIMIT @p2

-- # count
SELECT count(*) AS count_1
FROM `people`
WHERE `people`.`age` >= @p1

-- # reserved words
SELECT `Order`.`id`, `Order`.`select`, `Order`.`from`, `Order`.`group`, `Order`.`where`, `Order`.`limit`, `Order`.`returning`, `Order`.`values`, `Order`.`table`, `Order`.`index`, `Order`.`user`, `Order`.`key`, `Order`.`order`
FROM `Order`
WHERE `Order`.`select` = @p1 ORDER BY `group` ASC, `id` ASC
 LIMIT @p2

-- # aggregate
-- Counts are made doubles, as all numbers are: a parameter is of one type or another.
SELECT anon_1.`name`, anon_1.`n`, anon_1.`total`, anon_1.`mean`, anon_1.`points`, anon_1.`any`
FROM (SELECT anon_2.`name` AS `name`, anon_2.`n` AS `n`, anon_2.`total` AS `total`, anon_2.`mean` AS `mean`, anon_2.`points` AS `points`, anon_2.`any` AS `any`
FROM (SELECT anon_3.`name` AS `name`, anon_3.`n` AS `n`, anon_3.`total` AS `total`, anon_3.`mean` AS `mean`, anon_3.`points` AS `points`, anon_3.`any` AS `any`
FROM (SELECT anon_4.`name` AS `name`, CAST(count(*) AS FLOAT64) AS `n`, coalesce(sum(anon_4.`age`), 0) AS `total`, avg(anon_4.`age`) AS `mean`, CAST(count(*) AS FLOAT64) * CAST(@p1 AS FLOAT64) AS `points`, max(anon_4.`active`) AS `any`
FROM (SELECT anon_5.`id` AS `id`, anon_5.`name` AS `name`, anon_5.`bio` AS `bio`, anon_5.`age` AS `age`, anon_5.`active` AS `active`, anon_5.`born` AS `born`, anon_5.`settings` AS `settings`, anon_5.`labels` AS `labels`, anon_5.`bossId` AS `bossId`, anon_5.`createdAt` AS `createdAt`, anon_5.`updatedAt` AS `updatedAt`
FROM (SELECT `people`.`id` AS `id`, `people`.`name` AS `name`, `people`.`bio` AS `bio`, `people`.`age` AS `age`, `people`.`active` AS `active`, `people`.`born` AS `born`, `people`.`settings` AS `settings`, `people`.`labels` AS `labels`, `people`.`bossId` AS `bossId`, `people`.`createdAt` AS `createdAt`, `people`.`updatedAt` AS `updatedAt`
FROM `people`) AS anon_5
WHERE anon_5.`age` >= @p2) AS anon_4 GROUP BY anon_4.`name`) AS anon_3
WHERE anon_3.`n` > @p3) AS anon_2 ORDER BY `total` DESC, `name` ASC
 LIMIT @p4) AS anon_1 ORDER BY `total` DESC, `name` ASC
 LIMIT @p5

-- # aggregate of everything
SELECT anon_1.`o_group`, anon_1.`n`, anon_1.`total`, anon_1.`mean`
FROM (SELECT NULL AS `o_group`, CAST(count(*) AS FLOAT64) AS `n`, coalesce(sum(anon_2.`age`), 0) AS `total`, avg(anon_2.`age`) AS `mean`
FROM (SELECT `people`.`id` AS `id`, `people`.`name` AS `name`, `people`.`bio` AS `bio`, `people`.`age` AS `age`, `people`.`active` AS `active`, `people`.`born` AS `born`, `people`.`settings` AS `settings`, `people`.`labels` AS `labels`, `people`.`bossId` AS `bossId`, `people`.`createdAt` AS `createdAt`, `people`.`updatedAt` AS `updatedAt`
FROM `people`) AS anon_2) AS anon_1 ORDER BY `o_group` ASC
 LIMIT @p1

-- # links of several owners
SELECT `people_groups`.`personId`, `people_groups`.`groupId`
FROM `people_groups`
WHERE `people_groups`.`personId` IN UNNEST (@p1) ORDER BY `personId`, `groupId`

-- # create
-- A list for each column: the element at each place, cast since a list of nulls only has no type.
INSERT INTO `user` (`id`, `email`, `tenant`, `number`, `o_version`) SELECT lines.c0, lines.c1, lines.c2, lines.c3, lines.c4
FROM (SELECT CAST(@p1 AS ARRAY<STRING>)[OFFSET(_place)] AS c0, CAST(@p2 AS ARRAY<STRING>)[OFFSET(_place)] AS c1, CAST(@p3 AS ARRAY<STRING>)[OFFSET(_place)] AS c2, CAST(@p4 AS ARRAY<FLOAT64>)[OFFSET(_place)] AS c3, CAST(@p5 AS ARRAY<INT64>)[OFFSET(_place)] AS c4
FROM unnest(generate_array(0, array_length(CAST(@p1 AS ARRAY<STRING>)) - 1)) AS _place) AS lines

-- # update
-- There is no UPDATE … FROM: each column looks for its value where the id stands in the list.
UPDATE `user` SET `email`=(SELECT CAST(@p1 AS ARRAY<STRING>)[OFFSET(_place)] FROM UNNEST(CAST(@p2 AS ARRAY<STRING>)) AS _key WITH OFFSET AS _place WHERE _key = `user`.`id`), `tenant`=(SELECT CAST(@p3 AS ARRAY<STRING>)[OFFSET(_place)] FROM UNNEST(CAST(@p2 AS ARRAY<STRING>)) AS _key WITH OFFSET AS _place WHERE _key = `user`.`id`), `number`=(SELECT CAST(@p4 AS ARRAY<FLOAT64>)[OFFSET(_place)] FROM UNNEST(CAST(@p2 AS ARRAY<STRING>)) AS _key WITH OFFSET AS _place WHERE _key = `user`.`id`), `o_version`=(SELECT CAST(@p5 AS ARRAY<INT64>)[OFFSET(_place)] FROM UNNEST(CAST(@p2 AS ARRAY<STRING>)) AS _key WITH OFFSET AS _place WHERE _key = `user`.`id`) WHERE (`user`.`id` IN UNNEST (CAST(@p2 AS ARRAY<STRING>))) AND (EXISTS (SELECT 1
FROM unnest(generate_array(0, array_length(CAST(@p1 AS ARRAY<STRING>)) - 1)) AS _place
WHERE `user`.`id` = CAST(@p2 AS ARRAY<STRING>)[OFFSET(_place)] AND `user`.`o_version` = CAST(@p6 AS ARRAY<INT64>)[OFFSET(_place)]))

-- # delete
DELETE FROM `user` WHERE `user`.`id` IN UNNEST (@p1)

-- # take a row out to put it back
-- By the list of ids alone rows are found by their key; the rest says which line each is about.
DELETE FROM `user` WHERE (`user`.`id` IN UNNEST (CAST(@p1 AS ARRAY<STRING>))) AND (EXISTS (SELECT 1
FROM unnest(generate_array(0, array_length(CAST(@p1 AS ARRAY<STRING>)) - 1)) AS _place
WHERE `user`.`id` = CAST(@p1 AS ARRAY<STRING>)[OFFSET(_place)] AND `user`.`o_version` = CAST(@p2 AS ARRAY<INT64>)[OFFSET(_place)]))

-- # link
INSERT INTO `people_groups` (`personId`, `groupId`) SELECT lines.c0, lines.c1
FROM (SELECT CAST(@p1 AS ARRAY<STRING>)[OFFSET(_place)] AS c0, CAST(@p2 AS ARRAY<STRING>)[OFFSET(_place)] AS c1
FROM unnest(generate_array(0, array_length(CAST(@p1 AS ARRAY<STRING>)) - 1)) AS _place) AS lines

-- # unlink
DELETE FROM `people_groups` WHERE (`people_groups`.`personId` IN UNNEST (CAST(@p1 AS ARRAY<STRING>))) AND (EXISTS (SELECT 1
FROM unnest(generate_array(0, array_length(CAST(@p1 AS ARRAY<STRING>)) - 1)) AS _place
WHERE `people_groups`.`personId` = CAST(@p1 AS ARRAY<STRING>)[OFFSET(_place)] AND `people_groups`.`groupId` = CAST(@p2 AS ARRAY<STRING>)[OFFSET(_place)]))

-- # unlink all of several owners
DELETE FROM `people_groups` WHERE `people_groups`.`personId` IN UNNEST (@p1)

-- # rows that commands touch
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`password`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`o_version`
FROM `people`
WHERE `people`.`id` IN UNNEST (@p1)

-- # ids of what a command matches
SELECT `people`.`id`
FROM `people`
WHERE `people`.`age` >= @p1 ORDER BY `id` ASC
 LIMIT @p2

-- # owners of what is linked
SELECT DISTINCT `people_groups`.`personId`
FROM `people_groups`
WHERE `people_groups`.`groupId` IN UNNEST (@p1) ORDER BY `personId`

-- # recall commands
SELECT `octonet_inbox`.`command_id`, `octonet_inbox`.`entry`
FROM `octonet_inbox`
WHERE `octonet_inbox`.`command_id` IN UNNEST (@p1)

-- # newest command
SELECT max(`octonet_inbox`.`command_id`) AS max_1
FROM `octonet_inbox`
WHERE `octonet_inbox`.`command_id` < @p1

-- # remember commands
INSERT INTO `octonet_inbox` (`command_id`, `entry`) SELECT lines.c0, lines.c1
FROM (SELECT CAST(@p1 AS ARRAY<STRING>)[OFFSET(_place)] AS c0, CAST(@p2 AS ARRAY<INT64>)[OFFSET(_place)] AS c1
FROM unnest(generate_array(0, array_length(CAST(@p1 AS ARRAY<STRING>)) - 1)) AS _place) AS lines

-- # checkpoint
SELECT `octonet_checkpoint`.`entry`, `octonet_checkpoint`.`frame`, `octonet_checkpoint`.`digest`, `octonet_checkpoint`.`schema`
FROM `octonet_checkpoint`

-- # move the checkpoint
-- No UPDATE, and no DELETE, is without a WHERE.
UPDATE `octonet_checkpoint` SET `entry`=@p1, `frame`=@p2, `digest`=@p3, `schema`=@p4 WHERE true

-- # first checkpoint
INSERT INTO `octonet_checkpoint` (`slot`, `entry`, `frame`, `digest`, `schema`) VALUES (@p1, @p2, @p3, @p4, @p5)

-- # rows of a snapshot
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`password`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`o_version`
FROM `people`
WHERE `people`.`id` > @p1 ORDER BY `id` ASC
 LIMIT @p2

-- # inbox of a snapshot
SELECT `octonet_inbox`.`command_id`, `octonet_inbox`.`entry`
FROM `octonet_inbox`
WHERE `octonet_inbox`.`command_id` > @p1 ORDER BY `command_id`
 LIMIT @p2
