-- What Octonet says to sybase. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- Compared by the server's sort order, which is binary, over UTF-8. Texts end with U+0001, bytes with 1 (VARBINARY(65)): blanks and zeros at the end are lost.
-- Of pages with 16 KB, VARCHAR(4000) is what rows have room for. TEXT takes texts of any length, and stands in no comparison, index or DISTINCT.
-- A BIT has neither NULL nor max, a TINYINT has both. NULL is said, for whether a column takes it unasked is an option of the database.
-- DEFAULT stands before NOT NULL. LOCK DATAROWS: locks of whole pages, which are the default, would meet those of rows beside.
-- Two nulls are duplicates to a unique index, and there are no partial ones: where a row does not count, the last term is its id.
-- The comment of an index tells its columns' types: a column of another type is made anew, and an index of it stands against that.
-- A reserved word gets an underscore, for sp_rename takes no quotes.
CREATE TABLE [octonet_checkpoint] (
	[slot] INTEGER NOT NULL,
	[entry] BIGINT NOT NULL,
	[frame] BIGINT NOT NULL,
	[digest] VARBINARY(65) NOT NULL,
	[schema] VARCHAR(128) NOT NULL,
	PRIMARY KEY ([slot])
) LOCK DATAROWS;

CREATE TABLE [octonet_inbox] (
	[command_id] VARCHAR(1024) NOT NULL,
	[entry] BIGINT NOT NULL,
	PRIMARY KEY ([command_id])
) LOCK DATAROWS;

CREATE TABLE [octonet_schema] (
	[slot] INTEGER NOT NULL,
	[digest] VARCHAR(128) NOT NULL,
	[source] TEXT NOT NULL,
	[standing] TEXT NOT NULL,
	PRIMARY KEY ([slot])
) LOCK DATAROWS;

CREATE TABLE [people] (
	[id] VARCHAR(1024) NOT NULL,
	[name] VARCHAR(4000) NULL,
	[bio] VARCHAR(4000) NULL,
	[age] DOUBLE PRECISION NULL,
	[active] TINYINT NULL,
	[born] VARCHAR(4000) NULL,
	[settings] TEXT NULL,
	[labels] TEXT NULL,
	[password] VARCHAR(4000) NULL,
	[bossId] VARCHAR(4000) NULL,
	[createdAt] VARCHAR(4000) NULL,
	[updatedAt] VARCHAR(4000) NULL,
	[_version] INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ([id])
) LOCK DATAROWS;

CREATE TABLE [groups] (
	[id] VARCHAR(1024) NOT NULL,
	[title] VARCHAR(4000) NULL,
	[_version] INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ([id])
) LOCK DATAROWS;

CREATE TABLE [Order_] (
	[id] VARCHAR(1024) NOT NULL,
	[select_] VARCHAR(4000) NULL,
	[from_] VARCHAR(4000) NULL,
	[group_] VARCHAR(4000) NULL,
	[where_] VARCHAR(4000) NULL,
	[limit_] VARCHAR(4000) NULL,
	[returning] VARCHAR(4000) NULL,
	[values_] VARCHAR(4000) NULL,
	[table_] VARCHAR(4000) NULL,
	[index_] VARCHAR(4000) NULL,
	[user_] VARCHAR(4000) NULL,
	[key_] VARCHAR(4000) NULL,
	[order_] VARCHAR(4000) NULL,
	[_version] INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ([id])
) LOCK DATAROWS;

CREATE TABLE [user_] (
	[id] VARCHAR(1024) NOT NULL,
	[email] VARCHAR(4000) NOT NULL,
	[tenant] VARCHAR(4000) NULL,
	[number] DOUBLE PRECISION NULL,
	[_version] INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ([id])
) LOCK DATAROWS;

CREATE TABLE [accounts] (
	[id] VARCHAR(1024) NOT NULL,
	[email] VARCHAR(4000) NULL,
	[balance] DOUBLE PRECISION NULL,
	[deletedAt] VARCHAR(4000) NULL,
	[_version] INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ([id])
) LOCK DATAROWS;

CREATE TABLE [dogs] (
	[id] VARCHAR(1024) NOT NULL,
	[name] VARCHAR(4000) NULL,
	[kind] VARCHAR(4000) NULL,
	[_version] INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ([id])
) LOCK DATAROWS;

CREATE TABLE [people_groups] (
	[personId] VARCHAR(1024) NOT NULL,
	[groupId] VARCHAR(1024) NOT NULL,
	PRIMARY KEY ([personId], [groupId])
) LOCK DATAROWS;

CREATE INDEX [idx_people_0] ON [people] ([age] DESC) /* DOUBLE PRECISION NULL */;

CREATE INDEX [idx_people_bossId_ref] ON [people] ([bossId]) /* VARCHAR(4000) NULL */;

CREATE INDEX [idx_Order_order_ref] ON [Order_] ([order_]) /* VARCHAR(4000) NULL */;

CREATE UNIQUE INDEX [idx_user_0] ON [user_] ([tenant], [number], CASE WHEN [tenant] IS NULL OR [number] IS NULL THEN [id] END) /* VARCHAR(4000) NULL, DOUBLE PRECISION NULL */;

CREATE UNIQUE INDEX [uidx_user_email] ON [user_] ([email]) /* VARCHAR(4000) NOT NULL */;

CREATE UNIQUE INDEX [uidx_accounts_email_softdelete] ON [accounts] ([email], CASE WHEN [email] IS NULL OR [deletedAt] IS NOT NULL THEN [id] END) /* VARCHAR(4000) NULL */;

CREATE INDEX [idx_people_groups_groupId] ON [people_groups] ([groupId]) /* VARCHAR(1024) NOT NULL */

-- # get by id
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # get of chosen fields
SELECT [people].[id], [people].[name], [people].[age], [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # get of a row that may be soft-deleted
SELECT [accounts].[id], [accounts].[email], [accounts].[balance], [accounts].[deletedAt], [accounts].[_version]
FROM [accounts]
WHERE [accounts].[id] = ? AND [accounts].[deletedAt] IS NULL

-- # get by a discriminator
SELECT [dogs].[id], [dogs].[name], [dogs].[kind], [dogs].[_version]
FROM [dogs]
WHERE [dogs].[id] = ? AND [dogs].[kind] = ?

-- # gets that travel together
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] IN (?, ?, ?, ?)

-- # get with secrets
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[password], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # version
SELECT [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # page of everything
-- ROWS LIMIT and OFFSET take no arguments: numbers are written where the question marks stand, as they are run. Nulls are first unasked.
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people] ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # page that is filtered, sorted and skipped to
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[age] >= ? ORDER BY [people].[age] DESC, [people].[name] ASC, [people].[id] ASC
 ROWS LIMIT ? OFFSET ?

-- # membership
-- Each value is bound singly: there is no function that takes a list apart.
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] IN (?, ?, ?, ?) ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # membership of numbers, negated
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE ([people].[age] NOT IN (?, ?)) ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # null, and not null
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[bio] IS NULL OR [people].[bio] IS NOT NULL ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # and, or, not equal, a boolean
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE ([people].[age] >= ? OR [people].[active] = ?) AND [people].[name] != ? ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # like
-- LIKE knows brackets, too: a letter that means something is escaped with a bar. The end of the pattern meets the end of the text, U+0001.
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # like, negated
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] NOT LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # like, whatever the case
-- Each letter is a set of brackets with all that are equal to it, within the value: ASE is not asked what case is.
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # like, whatever the case, beyond ASCII
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # count
SELECT count(*) AS count_1
FROM [people]
WHERE [people].[age] >= ?

-- # reserved words
SELECT [Order_].[id], [Order_].[select_], [Order_].[from_], [Order_].[group_], [Order_].[where_], [Order_].[limit_], [Order_].[returning], [Order_].[values_], [Order_].[table_], [Order_].[index_], [Order_].[user_], [Order_].[key_], [Order_].[order_]
FROM [Order_]
WHERE [Order_].[select_] = ? ORDER BY [Order_].[group_] ASC, [Order_].[id] ASC
 ROWS LIMIT ?

-- # aggregate
-- An argument within a CAST has no type to the driver: its number is written there. ORDER BY within a table of its own has its ROWS LIMIT.
SELECT anon_1.[name], anon_1.[n], anon_1.[total], anon_1.[mean], anon_1.[points], anon_1.[any]
FROM (SELECT anon_2.[name] AS [name], anon_2.[n] AS [n], anon_2.[total] AS [total], anon_2.[mean] AS [mean], anon_2.[points] AS [points], anon_2.[any] AS [any]
FROM (SELECT anon_3.[name] AS [name], anon_3.[n] AS [n], anon_3.[total] AS [total], anon_3.[mean] AS [mean], anon_3.[points] AS [points], anon_3.[any] AS [any]
FROM (SELECT anon_4.[name] AS [name], CAST(count(*) AS DOUBLE PRECISION) AS [n], coalesce(sum(anon_4.[age]), 0) AS [total], avg(anon_4.[age]) AS [mean], CAST(count(*) AS DOUBLE PRECISION) * CAST(? AS DOUBLE PRECISION) AS [points], max(anon_4.[active]) AS [any]
FROM (SELECT anon_5.[id] AS [id], anon_5.[name] AS [name], anon_5.[bio] AS [bio], anon_5.[age] AS [age], anon_5.[active] AS [active], anon_5.[born] AS [born], anon_5.[settings] AS [settings], anon_5.[labels] AS [labels], anon_5.[bossId] AS [bossId], anon_5.[createdAt] AS [createdAt], anon_5.[updatedAt] AS [updatedAt]
FROM (SELECT [people].[id] AS [id], [people].[name] AS [name], [people].[bio] AS [bio], [people].[age] AS [age], [people].[active] AS [active], [people].[born] AS [born], [people].[settings] AS [settings], [people].[labels] AS [labels], [people].[bossId] AS [bossId], [people].[createdAt] AS [createdAt], [people].[updatedAt] AS [updatedAt]
FROM [people]) AS anon_5
WHERE anon_5.[age] >= ?) AS anon_4 GROUP BY anon_4.[name]) AS anon_3
WHERE anon_3.[n] > ?) AS anon_2 ORDER BY anon_2.[total] DESC, anon_2.[name] ASC
 ROWS LIMIT ?) AS anon_1 ORDER BY anon_1.[total] DESC, anon_1.[name] ASC
 ROWS LIMIT ?

-- # aggregate of everything
SELECT anon_1.[_group], anon_1.[n], anon_1.[total], anon_1.[mean]
FROM (SELECT NULL AS [_group], CAST(count(*) AS DOUBLE PRECISION) AS [n], coalesce(sum(anon_2.[age]), 0) AS [total], avg(anon_2.[age]) AS [mean]
FROM (SELECT [people].[id] AS [id], [people].[name] AS [name], [people].[bio] AS [bio], [people].[age] AS [age], [people].[active] AS [active], [people].[born] AS [born], [people].[settings] AS [settings], [people].[labels] AS [labels], [people].[bossId] AS [bossId], [people].[createdAt] AS [createdAt], [people].[updatedAt] AS [updatedAt]
FROM [people]) AS anon_2) AS anon_1 ORDER BY anon_1.[_group] ASC
 ROWS LIMIT ?

-- # links of several owners
SELECT [people_groups].[personId], [people_groups].[groupId]
FROM [people_groups]
WHERE [people_groups].[personId] IN (?, ?) ORDER BY [people_groups].[personId], [people_groups].[groupId]

-- # create
-- Nulls are written where the question marks stand: the driver knows no type for them.
INSERT INTO [user_] ([id], [email], [tenant], [number], [_version]) VALUES (?, ?, ?, ?, ?)

-- # update
UPDATE [user_] SET [email]=?, [tenant]=?, [number]=?, [_version]=? WHERE [user_].[id] = ? AND [user_].[_version] = ?

-- # delete
DELETE FROM [user_] WHERE [user_].[id] IN (?, ?)

-- # take a row out to put it back
DELETE FROM [user_] WHERE [user_].[id] = ? AND [user_].[_version] = ?

-- # link
INSERT INTO [people_groups] ([personId], [groupId]) VALUES (?, ?)

-- # unlink
DELETE FROM [people_groups] WHERE [people_groups].[personId] = ? AND [people_groups].[groupId] = ?

-- # unlink all of several owners
DELETE FROM [people_groups] WHERE [people_groups].[personId] IN (?, ?)

-- # rows that commands touch
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[password], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] IN (?, ?)

-- # ids of what a command matches
SELECT [people].[id]
FROM [people]
WHERE [people].[age] >= ? ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # owners of what is linked
SELECT DISTINCT [people_groups].[personId]
FROM [people_groups]
WHERE [people_groups].[groupId] IN (?, ?) ORDER BY [people_groups].[personId]

-- # recall commands
SELECT [octonet_inbox].[command_id], [octonet_inbox].[entry]
FROM [octonet_inbox]
WHERE [octonet_inbox].[command_id] IN (?, ?)

-- # newest command
SELECT max([octonet_inbox].[command_id]) AS max_1
FROM [octonet_inbox]
WHERE [octonet_inbox].[command_id] < ?

-- # remember commands
INSERT INTO [octonet_inbox] ([command_id], [entry]) VALUES (?, ?)

-- # checkpoint
SELECT [octonet_checkpoint].[entry], [octonet_checkpoint].[frame], [octonet_checkpoint].[digest], [octonet_checkpoint].[schema]
FROM [octonet_checkpoint]

-- # move the checkpoint
-- Bytes are bound with a 1 at their end.
UPDATE [octonet_checkpoint] SET [entry]=?, [frame]=?, [digest]=?, [schema]=?

-- # first checkpoint
INSERT INTO [octonet_checkpoint] ([slot], [entry], [frame], [digest], [schema]) VALUES (?, ?, ?, ?, ?)

-- # rows of a snapshot
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[password], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] > ? ORDER BY [people].[id] ASC
 ROWS LIMIT ?

-- # inbox of a snapshot
SELECT [octonet_inbox].[command_id], [octonet_inbox].[entry]
FROM [octonet_inbox]
WHERE [octonet_inbox].[command_id] > ? ORDER BY [octonet_inbox].[command_id]
 ROWS LIMIT ?
