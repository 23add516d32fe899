-- What Octonet says to mariadb. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- nopad_bin: compared by code point, and blanks at the end count. DYNAMIC rows: keys of up to 3072 bytes.
-- A text of any length cannot be in a unique index: its SHA-256 is, in a column that is computed and invisible.
-- A condition of an index (soft-deleted rows do not count) is an IF within that column, for there are no partial indexes.
-- The comment of an index holds its columns' types: a change of type is told by it.
CREATE TABLE `octonet_checkpoint` (
	`slot` INTEGER NOT NULL,
	`entry` BIGINT NOT NULL,
	`frame` BIGINT NOT NULL,
	`digest` BLOB(64) NOT NULL,
	`schema` VARCHAR(128) NOT NULL,
	PRIMARY KEY (`slot`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `octonet_inbox` (
	`command_id` VARCHAR(255) NOT NULL,
	`entry` BIGINT NOT NULL,
	PRIMARY KEY (`command_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `octonet_schema` (
	`slot` INTEGER NOT NULL,
	`digest` VARCHAR(128) NOT NULL,
	`source` LONGTEXT NOT NULL,
	`standing` LONGTEXT NOT NULL,
	PRIMARY KEY (`slot`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `people` (
	`id` VARCHAR(255) NOT NULL,
	`name` LONGTEXT,
	`bio` LONGTEXT,
	`age` DOUBLE,
	`active` TINYINT(1),
	`born` LONGTEXT,
	`settings` LONGTEXT,
	`labels` LONGTEXT,
	`password` LONGTEXT,
	`bossId` LONGTEXT,
	`createdAt` LONGTEXT,
	`updatedAt` LONGTEXT,
	`_version` INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `groups` (
	`id` VARCHAR(255) NOT NULL,
	`title` LONGTEXT,
	`_version` INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `Order` (
	`id` VARCHAR(255) NOT NULL,
	`select` LONGTEXT,
	`from` LONGTEXT,
	`group` LONGTEXT,
	`where` LONGTEXT,
	`limit` LONGTEXT,
	`returning` LONGTEXT,
	`values` LONGTEXT,
	`table` LONGTEXT,
	`index` LONGTEXT,
	`user` LONGTEXT,
	`key` LONGTEXT,
	`order` LONGTEXT,
	`_version` INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `user` (
	`id` VARCHAR(255) NOT NULL,
	`email` LONGTEXT NOT NULL,
	`tenant` LONGTEXT,
	`number` DOUBLE,
	`_version` INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `accounts` (
	`id` VARCHAR(255) NOT NULL,
	`email` LONGTEXT,
	`balance` DOUBLE,
	`deletedAt` LONGTEXT,
	`_version` INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `dogs` (
	`id` VARCHAR(255) NOT NULL,
	`name` LONGTEXT,
	`kind` LONGTEXT,
	`_version` INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `people_groups` (
	`personId` VARCHAR(255) NOT NULL,
	`groupId` VARCHAR(255) NOT NULL,
	PRIMARY KEY (`personId`, `groupId`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;

CREATE INDEX `idx_people_0` ON `people` (`age` DESC) COMMENT 'DOUBLE';

CREATE INDEX `idx_people_bossId_ref` ON `people` (`bossId`(191)) COMMENT 'LONGTEXT';

CREATE INDEX `idx_Order_order_ref` ON `Order` (`order`(191)) COMMENT 'LONGTEXT';

ALTER TABLE `user` ADD COLUMN `idx_user_0` BINARY(32) AS (UNHEX(SHA2(`tenant`, 256))) VIRTUAL INVISIBLE, ADD UNIQUE INDEX `idx_user_0` (`number`, `idx_user_0`) COMMENT 'LONGTEXT,DOUBLE', ADD INDEX `idx_user_0_b` (`tenant`(191), `number`);

ALTER TABLE `user` ADD COLUMN `uidx_user_email` BINARY(32) AS (UNHEX(SHA2(`email`, 256))) VIRTUAL INVISIBLE, ADD UNIQUE INDEX `uidx_user_email` (`uidx_user_email`) COMMENT 'LONGTEXT', ADD INDEX `uidx_user_email_b` (`email`(191));

ALTER TABLE `accounts` ADD COLUMN `uidx_accounts_email_softdelete` BINARY(32) AS (IF(`deletedAt` IS NULL, UNHEX(SHA2(`email`, 256)), NULL)) VIRTUAL INVISIBLE, ADD UNIQUE INDEX `uidx_accounts_email_softdelete` (`uidx_accounts_email_softdelete`) COMMENT 'LONGTEXT', ADD INDEX `uidx_accounts_email_softdelete_b` (`email`(191));

CREATE INDEX `idx_people_groups_groupId` ON `people_groups` (`groupId`) COMMENT 'VARCHAR(255)'

-- # get by id
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`_version`
FROM `people`
WHERE `people`.`id` = ?

-- # get of chosen fields
SELECT `people`.`id`, `people`.`name`, `people`.`age`, `people`.`_version`
FROM `people`
WHERE `people`.`id` = ?

-- # get of a row that may be soft-deleted
SELECT `accounts`.`id`, `accounts`.`email`, `accounts`.`balance`, `accounts`.`deletedAt`, `accounts`.`_version`
FROM `accounts`
WHERE `accounts`.`id` = ? AND `accounts`.`deletedAt` IS NULL

-- # get by a discriminator
SELECT `dogs`.`id`, `dogs`.`name`, `dogs`.`kind`, `dogs`.`_version`
FROM `dogs`
WHERE `dogs`.`id` = ? AND `dogs`.`kind` = ?

-- # gets that travel together
-- Lists are padded to a power of two by their last value, so that few statements have to be prepared.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`_version`
FROM `people`
WHERE `people`.`id` IN (?, ?, ?, ?)

-- # get with secrets
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`password`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`_version`
FROM `people`
WHERE `people`.`id` = ?

-- # version
SELECT `people`.`_version`
FROM `people`
WHERE `people`.`id` = ?

-- # page of everything
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people` ORDER BY `people`.`id` ASC
 LIMIT ?

-- # page that is filtered, sorted and skipped to
-- LIMIT takes the rows to skip first. Nulls come first unasked, and NULLS FIRST is not understood.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`age` >= ? ORDER BY `people`.`age` DESC, `people`.`name` ASC, `people`.`id` ASC
 LIMIT ?, ?

-- # membership
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` IN (?, ?, ?, ?) ORDER BY `people`.`id` ASC
 LIMIT ?

-- # membership of numbers, negated
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE (`people`.`age` NOT IN (?, ?)) ORDER BY `people`.`id` ASC
 LIMIT ?

-- # null, and not null
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`bio` IS NULL OR `people`.`bio` IS NOT NULL ORDER BY `people`.`id` ASC
 LIMIT ?

-- # and, or, not equal, a boolean
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE (`people`.`age` >= ? OR `people`.`active` = ?) AND `people`.`name` != ? ORDER BY `people`.`id` ASC
 LIMIT ?

-- # like
-- A backslash in a literal depends on sql_mode: the bar escapes.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` LIKE ? ESCAPE '|' ORDER BY `people`.`id` ASC
 LIMIT ?

-- # like, negated
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` NOT LIKE ? ESCAPE '|' ORDER BY `people`.`id` ASC
 LIMIT ?

-- # like, whatever the case
-- The collation tells cases apart, LIKE with it: every letter of the expression lists its cases.
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` REGEXP ? ORDER BY `people`.`id` ASC
 LIMIT ?

-- # like, whatever the case, beyond ASCII
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`
FROM `people`
WHERE `people`.`name` REGEXP ? ORDER BY `people`.`id` ASC
 LIMIT ?

-- # count
SELECT count(*) AS count_1
FROM `people`
WHERE `people`.`age` >= ?

-- # reserved words
SELECT `Order`.`id`, `Order`.`select`, `Order`.`from`, `Order`.`group`, `Order`.`where`, `Order`.`limit`, `Order`.`returning`, `Order`.`values`, `Order`.`table`, `Order`.`index`, `Order`.`user`, `Order`.`key`, `Order`.`order`
FROM `Order`
WHERE `Order`.`select` = ? ORDER BY `Order`.`group` ASC, `Order`.`id` ASC
 LIMIT ?

-- # aggregate
-- + 0e0 makes a decimal a double: as a decimal it would come out as text. TRUE is 1, and has a max.
SELECT anon_1.`name`, anon_1.`n`, anon_1.`total`, anon_1.`mean`, anon_1.`points`, anon_1.`any`
FROM (SELECT anon_2.`name` AS `name`, anon_2.`n` AS `n`, anon_2.`total` AS `total`, anon_2.`mean` AS `mean`, anon_2.`points` AS `points`, anon_2.`any` AS `any`
FROM (SELECT anon_3.`name` AS `name`, anon_3.`n` AS `n`, anon_3.`total` AS `total`, anon_3.`mean` AS `mean`, anon_3.`points` AS `points`, anon_3.`any` AS `any`
FROM (SELECT anon_4.`name` AS `name`, count(*) + 0e0 AS `n`, coalesce(sum(anon_4.`age`), 0e0) AS `total`, avg(anon_4.`age`) AS `mean`, (count(*) + 0e0) * (? + 0e0) AS `points`, max(anon_4.`active`) AS `any`
FROM (SELECT anon_5.`id` AS `id`, anon_5.`name` AS `name`, anon_5.`bio` AS `bio`, anon_5.`age` AS `age`, anon_5.`active` AS `active`, anon_5.`born` AS `born`, anon_5.`settings` AS `settings`, anon_5.`labels` AS `labels`, anon_5.`bossId` AS `bossId`, anon_5.`createdAt` AS `createdAt`, anon_5.`updatedAt` AS `updatedAt`
FROM (SELECT `people`.`id` AS `id`, `people`.`name` AS `name`, `people`.`bio` AS `bio`, `people`.`age` AS `age`, `people`.`active` AS `active`, `people`.`born` AS `born`, `people`.`settings` AS `settings`, `people`.`labels` AS `labels`, `people`.`bossId` AS `bossId`, `people`.`createdAt` AS `createdAt`, `people`.`updatedAt` AS `updatedAt`
FROM `people`) AS anon_5
WHERE anon_5.`age` >= ?) AS anon_4 GROUP BY anon_4.`name`) AS anon_3
WHERE anon_3.`n` > ?) AS anon_2 ORDER BY anon_2.`total` DESC, anon_2.`name` ASC
 LIMIT ?) AS anon_1 ORDER BY anon_1.`total` DESC, anon_1.`name` ASC
 LIMIT ?

-- # aggregate of everything
SELECT anon_1.`_group`, anon_1.`n`, anon_1.`total`, anon_1.`mean`
FROM (SELECT NULL AS `_group`, count(*) + 0e0 AS `n`, coalesce(sum(anon_2.`age`), 0e0) AS `total`, avg(anon_2.`age`) AS `mean`
FROM (SELECT `people`.`id` AS `id`, `people`.`name` AS `name`, `people`.`bio` AS `bio`, `people`.`age` AS `age`, `people`.`active` AS `active`, `people`.`born` AS `born`, `people`.`settings` AS `settings`, `people`.`labels` AS `labels`, `people`.`bossId` AS `bossId`, `people`.`createdAt` AS `createdAt`, `people`.`updatedAt` AS `updatedAt`
FROM `people`) AS anon_2) AS anon_1 ORDER BY anon_1.`_group` ASC
 LIMIT ?

-- # links of several owners
SELECT `people_groups`.`personId`, `people_groups`.`groupId`
FROM `people_groups`
WHERE `people_groups`.`personId` IN (?, ?) ORDER BY `people_groups`.`personId`, `people_groups`.`groupId`

-- # create
INSERT INTO `user` (`id`, `email`, `tenant`, `number`, `_version`) VALUES (?, ?, ?, ?, ?)

-- # update
UPDATE `user` SET `email`=?, `tenant`=?, `number`=?, `_version`=? WHERE `user`.`id` = ? AND `user`.`_version` = ?

-- # delete
DELETE FROM `user` WHERE `user`.`id` IN (?, ?)

-- # take a row out to put it back
DELETE FROM `user` WHERE `user`.`id` = ? AND `user`.`_version` = ?

-- # link
INSERT INTO `people_groups` (`personId`, `groupId`) VALUES (?, ?)

-- # unlink
DELETE FROM `people_groups` WHERE `people_groups`.`personId` = ? AND `people_groups`.`groupId` = ?

-- # unlink all of several owners
DELETE FROM `people_groups` WHERE `people_groups`.`personId` IN (?, ?)

-- # rows that commands touch
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`password`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`_version`
FROM `people`
WHERE `people`.`id` IN (?, ?)

-- # ids of what a command matches
SELECT `people`.`id`
FROM `people`
WHERE `people`.`age` >= ? ORDER BY `people`.`id` ASC
 LIMIT ?

-- # owners of what is linked
SELECT DISTINCT `people_groups`.`personId`
FROM `people_groups`
WHERE `people_groups`.`groupId` IN (?, ?) ORDER BY `people_groups`.`personId`

-- # recall commands
SELECT `octonet_inbox`.`command_id`, `octonet_inbox`.`entry`
FROM `octonet_inbox`
WHERE `octonet_inbox`.`command_id` IN (?, ?)

-- # newest command
SELECT max(`octonet_inbox`.`command_id`) AS max_1
FROM `octonet_inbox`
WHERE `octonet_inbox`.`command_id` < ?

-- # remember commands
INSERT INTO `octonet_inbox` (`command_id`, `entry`) VALUES (?, ?)

-- # checkpoint
SELECT `octonet_checkpoint`.`entry`, `octonet_checkpoint`.`frame`, `octonet_checkpoint`.`digest`, `octonet_checkpoint`.`schema`
FROM `octonet_checkpoint`

-- # move the checkpoint
UPDATE `octonet_checkpoint` SET `entry`=?, `frame`=?, `digest`=?, `schema`=?

-- # first checkpoint
INSERT INTO `octonet_checkpoint` (`slot`, `entry`, `frame`, `digest`, `schema`) VALUES (?, ?, ?, ?, ?)

-- # rows of a snapshot
SELECT `people`.`id`, `people`.`name`, `people`.`bio`, `people`.`age`, `people`.`active`, `people`.`born`, `people`.`settings`, `people`.`labels`, `people`.`password`, `people`.`bossId`, `people`.`createdAt`, `people`.`updatedAt`, `people`.`_version`
FROM `people`
WHERE `people`.`id` > ? ORDER BY `people`.`id` ASC
 LIMIT ?

-- # inbox of a snapshot
SELECT `octonet_inbox`.`command_id`, `octonet_inbox`.`entry`
FROM `octonet_inbox`
WHERE `octonet_inbox`.`command_id` > ? ORDER BY `octonet_inbox`.`command_id`
 LIMIT ?
