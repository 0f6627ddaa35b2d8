-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The declaration and the ledger. Columns of resources bear the names of the rows in the
-- field tables of src/model: NULL is "not given", numbers and bools are INTEGER, all else
-- is text. A list's column holds how many it has, its members are in TABLE_FIELD.
-- The last six columns of a resource are the agent's own.

PRAGMA application_id = 1768974704; -- 0x69706970, "ipip"

CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tunnels (
	"name"               TEXT NOT NULL PRIMARY KEY,
	"labels"             INTEGER,
	"comment"            TEXT,
	"enabled"            INTEGER,
	"adopt"              INTEGER,
	"remote"             TEXT NOT NULL,
	"local"              TEXT,
	"device"             TEXT,
	"underlay"           TEXT,
	"addresses"          INTEGER,
	"mtu"                INTEGER,
	"ttl"                INTEGER,
	"tos"                INTEGER,
	"path_mtu_discovery" INTEGER,
	"mss_clamp"          INTEGER,
	"rp_filter"          TEXT,
	"allowed_sources"    INTEGER,
	"deleting"           INTEGER NOT NULL CHECK ("deleting" IN (0, 1)),
	"uid"                TEXT NOT NULL,
	"generation"         INTEGER NOT NULL,
	"revision"           INTEGER NOT NULL,
	"created_ms"         INTEGER NOT NULL,
	"updated_ms"         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tunnels_labels (
	resource TEXT NOT NULL REFERENCES tunnels ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	key      TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE tunnels_addresses (
	resource TEXT NOT NULL REFERENCES tunnels ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	prefix   TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE tunnels_allowed_sources (
	resource TEXT NOT NULL REFERENCES tunnels ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	prefix   TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

-- A route that is being deleted may outlive its tunnel, so the reference is held by a
-- column that is NULL for it. Deferred: within one transaction order does not matter.
CREATE TABLE exit_routes (
	"name"            TEXT NOT NULL PRIMARY KEY,
	"labels"          INTEGER,
	"comment"         TEXT,
	"enabled"         INTEGER,
	"adopt"           INTEGER,
	"tunnel"          TEXT NOT NULL,
	"destinations"    INTEGER NOT NULL,
	"source"          TEXT,
	"metric"          INTEGER,
	"from"            INTEGER,
	"deleting"        INTEGER NOT NULL CHECK ("deleting" IN (0, 1)),
	"uid"             TEXT NOT NULL,
	"generation"      INTEGER NOT NULL,
	"revision"        INTEGER NOT NULL,
	"created_ms"      INTEGER NOT NULL,
	"updated_ms"      INTEGER NOT NULL,
	"declared_tunnel" TEXT GENERATED ALWAYS AS (CASE "deleting" WHEN 0 THEN "tunnel" END) STORED
		REFERENCES tunnels ("name") DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE INDEX exit_routes_by_tunnel ON exit_routes ("declared_tunnel");

CREATE TABLE exit_routes_labels (
	resource TEXT NOT NULL REFERENCES exit_routes ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	key      TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE exit_routes_destinations (
	resource TEXT NOT NULL REFERENCES exit_routes ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	prefix   TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE exit_routes_from (
	resource TEXT NOT NULL REFERENCES exit_routes ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	prefix   TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE nat_rules (
	"name"          TEXT NOT NULL PRIMARY KEY,
	"labels"        INTEGER,
	"comment"       TEXT,
	"enabled"       INTEGER,
	"adopt"         INTEGER,
	"sources"       INTEGER NOT NULL,
	"out_interface" TEXT NOT NULL,
	"action"        TEXT,
	"to_address"    TEXT,
	"in_interface"  TEXT,
	"destinations"  INTEGER,
	"priority"      INTEGER,
	"deleting"      INTEGER NOT NULL CHECK ("deleting" IN (0, 1)),
	"uid"           TEXT NOT NULL,
	"generation"    INTEGER NOT NULL,
	"revision"      INTEGER NOT NULL,
	"created_ms"    INTEGER NOT NULL,
	"updated_ms"    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE nat_rules_labels (
	resource TEXT NOT NULL REFERENCES nat_rules ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	key      TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE nat_rules_sources (
	resource TEXT NOT NULL REFERENCES nat_rules ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	prefix   TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE nat_rules_destinations (
	resource TEXT NOT NULL REFERENCES nat_rules ("name") ON DELETE CASCADE,
	position INTEGER NOT NULL,
	prefix   TEXT NOT NULL,
	PRIMARY KEY (resource, position)
) STRICT, WITHOUT ROWID;

-- The routing table of each distinct `from` prefix of exit routes.
CREATE TABLE from_numbers (
	"from"  TEXT NOT NULL PRIMARY KEY,
	"table" INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- Kernel objects without a mark of their own. `key` and `object` are field=value texts.
CREATE TABLE ledger (
	kind      TEXT NOT NULL,
	key       TEXT NOT NULL,
	object    TEXT NOT NULL,
	marks     INTEGER NOT NULL,
	boot_id   TEXT NOT NULL,
	namespace INTEGER NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
