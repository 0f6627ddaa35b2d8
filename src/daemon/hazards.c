/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of hazards, and how each is found. A find function says where a hazard is; what it
 * means and what helps are the row's texts, in which {object}, {what} and {devices} stand for
 * what was found.
 */
#include "daemon/hazard_hunt.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *const hazard_severity_names[HAZARD_SEVERITIES] = {"critical", "warning", "info"};

static const struct row {
	const char *name;
	void (*find)(struct hunt *hunt);
	const char *message, *fix; /* fix NULL: there is no command for it */
} rows[HAZARDS] = {
	[HAZARD_FORWARD_DROP] =
		{"ForwardDrop", find_forward_drops,
		 "{object} {what} packets that NAT rules of ours forward for {devices}: that we "
		 "accept them does not count there",
		 "nft '{rules}'"},
	[HAZARD_INPUT_DROP] = {"InputDrop", find_input_drops,
			       "{object} {what} packets of protocol 4, in which {devices} arrive",
			       "nft '{rules}'"},
	[HAZARD_OUTPUT_DROP] = {"OutputDrop", find_output_drops,
				"{object} {what} packets of protocol 4, in which {devices} leave",
				"nft '{rules}'"},
	[HAZARD_DEVICE_DROP] = {"DeviceDrop", find_device_drops,
				"{object} {what} packets where they come out of {devices}, or "
				"go in",
				"nft '{rules}'"},
	[HAZARD_PROTOCOL_DROP] =
		{"Protocol4Drop", find_protocol_drops,
		 "{object} has a rule that drops protocol 4, as Calico does with hosts that it "
		 "does not know, and {what} the packets of {devices}",
		 "nft '{rules}'"},
	[HAZARD_FOREIGN_NAT] =
		{"ForeignNat", find_foreign_nat,
		 "{object} {what} the source of packets that NAT rules of ours forward for "
		 "{devices}, before these are asked",
		 "nft '{rules}'"},
	[HAZARD_REVERSE_PATH_CHECK] =
		{"ReversePathCheck", find_reverse_path_checks,
		 "{object} asks the routes where a packet's source is, and may drop packets of "
		 "{devices} that come another way",
		 "nft '{rules}'"},
	[HAZARD_MODULE_MISSING] =
		{"ModuleMissing", find_missing_module,
		 "the kernel has no module ipip, loaded or to be loaded: no tunnel can be made",
		 NULL},
	[HAZARD_MODULE_BLACKLISTED] =
		{"ModuleBlacklisted", find_blacklisted_module,
		 "{object} keeps the module ipip from being loaded: {what}no tunnel can be made",
		 NULL},
	[HAZARD_IPTABLES_LEGACY] =
		{"IptablesLegacy", find_legacy_tables,
		 "iptables-legacy has tables ({what}), which may drop or translate our traffic, "
		 "and which nft does not show",
		 NULL},
	[HAZARD_XT_RPFILTER] =
		{"XtRpfilterLoaded", find_xt_rpfilter,
		 "iptables-legacy may have a rule with rpfilter, whose module is loaded: it drops "
		 "packets of tunnels that come another way than the routes say",
		 NULL},
	[HAZARD_NETWORKD_REMOVES] =
		{"NetworkdRemoves", find_networkd,
		 "{object} removes {what} that it did not make, ours among them, whenever it "
		 "starts",
		 "mkdir -p /etc/systemd/networkd.conf.d && printf "
		 "'[Network]\\nManageForeignRoutingPolicyRules=no\\nManageForeignRoutes=no\\n' "
		 ">/etc/systemd/networkd.conf.d/zz-ipipd.conf && "
		 "systemctl restart systemd-networkd"},
	[HAZARD_NETWORK_MANAGER_MANAGES] =
		{"NetworkManagerManages", find_network_manager,
		 "NetworkManager is not told to leave {object} alone: it may take its addresses "
		 "and routes away",
		 "printf '[keyfile]\\nunmanaged-devices+=interface-name:{object}\\n' "
		 ">/etc/NetworkManager/conf.d/zz-ipipd-{object}.conf && nmcli general reload"},
	[HAZARD_SYSCTL_UNDOES] =
		{"SysctlUndoes", find_sysctl_lines,
		 "{object} sets {what} when it is applied again, against what is declared",
		 "echo '{rules}' >>/etc/sysctl.d/zz-ipipd.conf"},
	[HAZARD_FALLBACK_DEVICE_UP] =
		{"FallbackDeviceUp", find_fallback_device,
		 "{object} is up: it takes tunnelled packets of every sender that no tunnel is "
		 "declared for",
		 "ip link set {object} down"},
	[HAZARD_CATCH_ALL_TUNNEL] =
		{"CatchAllTunnel", find_catch_all_tunnels,
		 "{object} is somebody else's tunnel from any address: it takes packets of every "
		 "sender that no tunnel is declared for",
		 "ip link set {object} down"},
	[HAZARD_DUPLICATE_ENDPOINTS] =
		{"DuplicateEndpoints", find_duplicate_endpoints,
		 "{object} is somebody else's tunnel between the same addresses as {what}: which "
		 "of them gets a packet is left to chance",
		 "ip link del {object}"},
	[HAZARD_RULES_UNREAD] = {"RulesUnread", find_unread_rules,
				 "hazards in rules of nftables are not all told: {what}", NULL},
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
		{"rules", place->rules},
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (strlen(values[i].name) == len && memcmp(values[i].name, name, len) == 0)
			return values[i].value;
	return NULL;
}

/* With the values in place of their {names}; other braces stay as they are. */
static char *expand(struct arena *arena, const char *pattern, const struct place *place)
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

/* Names of the kernel's and of files may have anything in them, which is neither for a log nor for
 * JSON. */
static const char *clean(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~') /* bytes above are negative, or greater */
			*c = '?';
	return text;
}

void hunt_add(struct hunt *hunt, const struct place *place)
{
	struct hazards *found = hunt->found;
	const struct row *row = &rows[hunt->id];

	found->total++;
	if (hunt->kept >= HAZARDS_KEPT)
		return;
	hunt->kept++;
	struct hazard *hazard = vec_add(&found->list);
	hazard->id = hunt->id;
	hazard->severity = place->severity;
	hazard->object = clean(arena_strdup(&found->arena, place->object));
	hazard->message = clean(expand(&found->arena, row->message, place));
	if (row->fix && !place->unfixable)
		hazard->fix = expand(&found->arena, row->fix, place);
	memcpy(hazard->resources, place->resources, sizeof(hazard->resources));
}

bool hunt_is_wanted(const struct resource *resource)
{
	return resource->enabled && !resource->deleting;
}

bool hunt_wants(const struct hunt *hunt, enum kind_id kind)
{
	const struct resources *resources = hunt_declared(hunt, kind);

	for (size_t i = 0; i < resources->len; i++)
		if (hunt_is_wanted(resources->v[i]))
			return true;
	return false;
}

const char *hunt_name(struct hunt *hunt, enum kind_id kind, const struct resource *resource)
{
	return arena_printf(&hunt->found->arena, "%s/%s", kinds[kind]->noun, resource->name);
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
	struct hunt hunt = {.view = view, .found = hazards};

	for (; hunt.id < HAZARDS; hunt.id++) {
		hunt.kept = 0;
		rows[hunt.id].find(&hunt);
	}
	vec_sort(&hazards->list, compare);
}

void hazards_done(struct hazards *hazards)
{
	vec_done(&hazards->list);
	arena_done(&hazards->arena);
	hazards->total = 0;
}
