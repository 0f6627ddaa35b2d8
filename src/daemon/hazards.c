/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of hazards, and how each is found. A find function says where a hazard is; what it
 * means and what helps are the row's texts, in which {object}, {what} and {devices} stand for
 * what was found.
 */
#include "daemon/hazards.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *const hazard_severity_names[HAZARD_SEVERITIES] = {"critical", "warning", "info"};

struct hunt {
	const struct hazard_view *view;
	struct hazards *found;
	enum hazard_id id; /* that is looked for */
};

/* Where a hazard is. */
struct place {
	enum hazard_severity severity;
	const char *object, *what, *devices; /* NULL: not in the row's texts */
	bool unfixable;
	const char *resources[HAZARD_RESOURCES];
};

static void find_missing(struct hunt *hunt);
static void find_blacklisted(struct hunt *hunt);
static void find_legacy(struct hunt *hunt);
static void find_fallback_device(struct hunt *hunt);
static void find_catch_all(struct hunt *hunt);
static void find_duplicates(struct hunt *hunt);

static const struct row {
	const char *name;
	void (*find)(struct hunt *hunt);
	const char *message, *fix; /* fix NULL: there is no command for it */
} rows[HAZARDS] = {
	[HAZARD_MODULE_MISSING] =
		{"ModuleMissing", find_missing,
		 "the kernel has no module ipip, loaded or to be loaded: no tunnel can be made",
		 NULL},
	[HAZARD_MODULE_BLACKLISTED] =
		{"ModuleBlacklisted", find_blacklisted,
		 "{object} keeps the module ipip from being loaded: after the next boot no tunnel "
		 "can be made",
		 NULL},
	[HAZARD_IPTABLES_LEGACY] =
		{"IptablesLegacy", find_legacy,
		 "iptables-legacy has tables ({what}), which may drop or translate our traffic, "
		 "and which nft does not show",
		 NULL},
	[HAZARD_FALLBACK_DEVICE_UP] =
		{"FallbackDeviceUp", find_fallback_device,
		 "{object} is up: it takes tunnelled packets of every sender that no tunnel is "
		 "declared for",
		 "ip link set {object} down"},
	[HAZARD_CATCH_ALL_TUNNEL] =
		{"CatchAllTunnel", find_catch_all,
		 "{object} is somebody else's tunnel from any address: it takes packets of every "
		 "sender that no tunnel is declared for",
		 "ip link set {object} down"},
	[HAZARD_DUPLICATE_ENDPOINTS] =
		{"DuplicateEndpoints", find_duplicates,
		 "{object} is somebody else's tunnel between the same addresses as {what}: which "
		 "of them gets a packet is left to chance",
		 "ip link del {object}"},
};

const char *hazard_name(enum hazard_id id)
{
	return rows[id].name;
}

static const char *value_of(const struct place *place, const char *name, size_t len)
{
	const struct {
		const char *name, *value;
	} values[] = {
		{"object", place->object},
		{"what", place->what},
		{"devices", place->devices},
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (strlen(values[i].name) == len && memcmp(values[i].name, name, len) == 0)
			return values[i].value;
	return NULL;
}

/* With the values in place of their {names}; other braces stay as they are. */
static const char *expand(struct arena *arena, const char *pattern, const struct place *place)
{
	cleanup_text struct text text = {0};

	while (*pattern) {
		size_t len = strcspn(pattern, "{");

		text_add_len(&text, pattern, len);
		pattern += len;
		if (!*pattern)
			break;
		len = strspn(pattern + 1, "abcdefghijklmnopqrstuvwxyz");
		const char *value = pattern[1 + len] == '}' ? value_of(place, pattern + 1, len)
							    : NULL;
		if (value)
			text_add(&text, value);
		else
			text_add_char(&text, *pattern);
		pattern += value ? len + 2 : 1;
	}
	return arena_strdup(arena, text_str(&text));
}

static void add(struct hunt *hunt, const struct place *place)
{
	struct hazards *found = hunt->found;
	const struct row *row = &rows[hunt->id];

	found->total++;
	if (found->list.len >= HAZARDS_KEPT)
		return;
	struct hazard *hazard = vec_add(&found->list);
	hazard->id = hunt->id;
	hazard->severity = place->severity;
	hazard->object = arena_strdup(&found->arena, place->object);
	hazard->message = expand(&found->arena, row->message, place);
	if (row->fix && !place->unfixable)
		hazard->fix = expand(&found->arena, row->fix, place);
	memcpy(hazard->resources, place->resources, sizeof(hazard->resources));
}

static const struct resources *declared(const struct hunt *hunt, enum kind_id kind)
{
	return &hunt->view->declaration->kind[kind];
}

static bool is_wanted(const struct resource *resource)
{
	return resource->enabled && !resource->deleting;
}

/* "tunnel/tun_a" */
static const char *name_of(struct hunt *hunt, enum kind_id kind, const struct resource *resource)
{
	return arena_printf(&hunt->found->arena, "%s/%s", kinds[kind]->noun, resource->name);
}

static bool wants_tunnels(const struct hunt *hunt)
{
	const struct resources *tunnels = declared(hunt, KIND_TUNNEL);

	for (size_t i = 0; i < tunnels->len; i++)
		if (is_wanted(tunnels->v[i]))
			return true;
	return false;
}

static void find_missing(struct hunt *hunt)
{
	if (hunt->view->files->ipip == MODULE_MISSING)
		add(hunt, &(struct place){.severity = wants_tunnels(hunt) ? HAZARD_CRITICAL
									  : HAZARD_WARNING,
					  .object = "ipip"});
}

static void find_blacklisted(struct hunt *hunt)
{
	if (hunt->view->files->blacklisted)
		add(hunt, &(struct place){.severity = HAZARD_WARNING,
					  .object = hunt->view->files->blacklisted});
}

static void find_legacy(struct hunt *hunt)
{
	const bool *legacy = hunt->view->files->legacy;
	cleanup_text struct text tables = {0};

	for (unsigned i = 0; i < LEGACY_TABLES; i++)
		if (legacy[i])
			text_addf(&tables, "%s%s", tables.len ? ", " : "", hazard_legacy_tables[i]);
	if (tables.len)
		add(hunt, &(struct place){.severity = legacy[LEGACY_FILTER] || legacy[LEGACY_NAT]
							      ? HAZARD_WARNING
							      : HAZARD_INFO,
					  .object = "iptables-legacy",
					  .what = text_str(&tables)});
}

static bool is_foreign_tunnel(const struct fact_link *link)
{
	return !link->ours && strcmp(link->driver, "ipip") == 0;
}

static void find_fallback_device(struct hunt *hunt)
{
	const struct fact_link *link = facts_link(hunt->view->facts, "tunl0");

	if (link && is_foreign_tunnel(link) && link->up)
		add(hunt, &(struct place){.severity = HAZARD_WARNING, .object = link->device});
}

static void find_catch_all(struct hunt *hunt)
{
	const struct facts *facts = hunt->view->facts;

	for (size_t i = 0; i < facts->links.len; i++) {
		const struct fact_link *link = &facts->links.v[i];

		if (is_foreign_tunnel(link) && link->up && !link->remote.host &&
		    strcmp(link->device, "tunl0") != 0)
			add(hunt,
			    &(struct place){.severity = HAZARD_WARNING, .object = link->device});
	}
}

/* The tunnel that has these endpoints, by another device; NULL: none. */
static const struct tunnel *tunnel_between(const struct hunt *hunt, const struct fact_link *link)
{
	const struct resources *tunnels = declared(hunt, KIND_TUNNEL);

	for (size_t i = 0; i < tunnels->len; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)tunnels->v[i];
		const struct fact_remote *way = facts_remote(hunt->view->facts, tunnel->remote,
							     tunnel->underlay);
		struct addr local = tunnel->local.host || !way ? tunnel->local : way->source;

		if (is_wanted(&tunnel->head) && tunnel->remote.host == link->remote.host &&
		    local.host && local.host == link->local.host &&
		    strcmp(tunnel_device(tunnel), link->device) != 0)
			return tunnel;
	}
	return NULL;
}

static void find_duplicates(struct hunt *hunt)
{
	const struct facts *facts = hunt->view->facts;

	for (size_t i = 0; i < facts->links.len; i++) {
		const struct fact_link *link = &facts->links.v[i];

		if (!is_foreign_tunnel(link) || !link->remote.host)
			continue;
		const struct tunnel *tunnel = tunnel_between(hunt, link);
		if (!tunnel)
			continue;
		const char *name = name_of(hunt, KIND_TUNNEL, &tunnel->head);
		add(hunt, &(struct place){.severity = HAZARD_CRITICAL,
					  .object = link->device,
					  .what = name,
					  .resources = {name}});
	}
}

static int compare(const void *a, const void *b)
{
	const struct hazard *one = a, *other = b;
	int difference = (int)one->severity - (int)other->severity;

	if (!difference)
		difference = (int)one->id - (int)other->id;
	return difference ? difference : strcmp(one->object, other->object);
}

void hazards_judge(const struct hazard_view *view, struct hazards *hazards)
{
	struct hunt hunt = {view, hazards, 0};

	for (; hunt.id < HAZARDS; hunt.id++)
		rows[hunt.id].find(&hunt);
	vec_sort(&hazards->list, compare);
}

void hazards_done(struct hazards *hazards)
{
	vec_done(&hazards->list);
	arena_done(&hazards->arena);
	hazards->total = 0;
}
