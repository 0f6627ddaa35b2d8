/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Query parameters: one table of all of them, whatever the route; which of them a route
 * takes is said in the route table of api.c.
 */
#include "daemon/api_params.h"

#include "base/words.h"
#include "codec/value.h"
#include "daemon/api_problem.h"
#include "daemon/event_log.h"
#include "daemon/why.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 200, LIMIT_MAX = 1000, WAIT_MAX_S = 60, LABELS_MAX = 32 };

static const char *const state_choices[] = {"pending",  "ready",    "failed",
					    "conflict", "disabled", "deleting"};
static const char *const kind_choices[] = {"tunnel",  "exit-route",  "nat-rule",  "nft-table",
					   "nft-set", "nft-element", "nft-chain", "link",
					   "address", "sysctl",      "route",     "rule"};
_Static_assert(ARRAY_LEN(kind_choices) == OBJECT_KIND_END, "a kind is missing");
static const char *const orphans_choices[] = {"keep", "delete"};

/* clang-format off */
static const struct field params_fields[] = {
	F_U32(api_params, limit, .min = 1, .max = LIMIT_MAX, .dflt = LIMIT_DEFAULT,
		.doc = "how many at most"),
	F_STRING(api_params, after, .max = RESOURCE_NAME - 1,
		.doc = "begin behind this name"),
	F_LABELS(api_params, label, .max_count = LABELS_MAX,
		.doc = "key=value: only what carries it; may be repeated"),
	F_CHOICE(api_params, state, state_choices, .flags = FIELD_OPEN,
		.doc = "only what is in this state"),
	F_BOOL(api_params, dry_run,
		.doc = "validate, answer with the plan, and store nothing"),
	F_U32(api_params, wait, .flags = FIELD_OPEN, .max = WAIT_MAX_S,
		.doc = "seconds to wait until this generation is no longer pending"),
	F_BOOL(api_params, prune, .dflt = 1,
		.doc = "false: what the document does not name stays"),
	F_CHOICE(api_params, orphans, orphans_choices,
		.doc = "delete: remove what another database left"),
	F_ADDR(api_params, to, .flags = FIELD_REQUIRED,
		.doc = "where to"),
	F_ADDR(api_params, from,
		.doc = "from this source"),
	F_NAME(api_params, in, .flags = FIELD_IFNAME, .min = 1, .max = IFNAMSIZ - 1,
		.doc = "coming in by this device"),
	F_BOOL(api_params, underlay,
		.doc = "past the agent's own rules, as a tunnel's outer packets go"),
	F_BOOL(api_params, verbose,
		.doc = "with the last pass"),
	F_STRING(api_params, since, .max = 20,
		.doc = "the id of the last event that is known; 0: all that are kept"),
	F_BOOL(api_params, follow, .dflt = 1,
		.doc = "false: end with the newest one"),
	{FIELD_AT(api_params, type, uint8_t), .type = FIELD_CHOICE, .flags = FIELD_OPEN,
		.choices = event_type_names, .n_choices = EVENT_TYPES, .max = EVENT_TYPES - 1,
		.doc = "only events of this type"},
	F_CHOICE(api_params, kind, kind_choices, .flags = FIELD_OPEN,
		.doc = "only events of this kind, of resources or of kernel objects"),
	F_STRING(api_params, name, .min = 1, .max = 255,
		.doc = "only events that name it"),
	F_CHOICE(api_params, protocol, why_protocol_names,
		.doc = "of the packets that there should be a reply to"),
	F_U16(api_params, port, .flags = FIELD_OPEN, .min = 1,
		.doc = "where to, not with icmp; default: 443 of tcp, 53 of udp"),
	F_BOOL(api_params, probe,
		.doc = "send a handful of packets and watch them; needs the role admin"),
	F_ADDR(api_params, peer,
		.doc = "the outer source of what arrives: this host is the far end"),
	F_ADDR(api_params, local,
		.doc = "with peer: the outer destination of what arrives"),
	F_U16(api_params, id, .flags = FIELD_OPEN, .min = 1,
		.doc = "identifier of the echo requests, or source port; default: by chance"),
	F_U16(api_params, mtu, .flags = FIELD_OPEN, .min = 68,
		.doc = "with peer: of the other end's device, as it told; default: as of the own"),
	F_BOOL(api_params, sent,
		.doc = "with peer and id: no more probes are sent, nor need they be waited for"),
};
/* clang-format on */

const struct kind api_params_kind = {
	.noun = "parameter",
	.fields = params_fields,
	.n_fields = ARRAY_LEN(params_fields),
	.size = sizeof(struct api_params),
};

struct reading {
	struct api_call *call;
	const char *allowed;
	bool refused;
};

bool api_params_has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; len && (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

static int read_number(const struct field *field, void *params, const char *value)
{
	char *end;
	unsigned long long number;

	if (value[0] < '0' || value[0] > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(value, &end, 10);
	if (*end || errno || number < (uint64_t)field->min || number > (uint64_t)field->max)
		return -EINVAL;
	field_store(field, params, (int64_t)number);
	return 0;
}

/* A bare `?verbose` is true. */
static int read_bool(const struct field *field, void *params, const char *value)
{
	bool is_true = !*value || strcmp(value, "true") == 0;

	if (!is_true && strcmp(value, "false") != 0)
		return -EINVAL;
	field_store(field, params, is_true);
	return 0;
}

static int read_choice(const struct field *field, void *params, const char *value)
{
	for (unsigned i = 0; i < field->n_choices; i++)
		if (strcmp(field->choices[i], value) == 0) {
			field_store(field, params, i);
			return 0;
		}
	return -EINVAL;
}

static int read_addr(const struct field *field, void *params, const char *value)
{
	struct addr addr;

	if (addr_parse(value, &addr) < 0 || !addr.host)
		return -EINVAL;
	field_store(field, params, addr.host);
	return 0;
}

static int read_text(const struct field *field, void *params, const char *value,
		     struct arena *arena)
{
	size_t len = strlen(value);

	if (len < (size_t)field->min || len > (size_t)field->max)
		return -EINVAL;
	if (field->type == FIELD_NAME)
		memcpy(field_of(field, params), value, len + 1);
	else
		*(const char **)field_of(field, params) = arena_strdup(arena, value);
	return 0;
}

/* k=v: one more of the labels that are asked for */
static int read_label(const struct field *field, void *params, const char *value,
		      struct arena *arena)
{
	struct labels *labels = field_of(field, params);
	const char *equals = strchr(value, '=');

	if (!equals || equals == value || labels->len == field->max_count)
		return -EINVAL;
	if (!labels->v)
		labels->v = arena_array(arena, field->max_count, sizeof(*labels->v));
	labels->v[labels->len++] = (struct label){
		arena_strndup(arena, value, (size_t)(equals - value)),
		arena_strdup(arena, equals + 1)};
	return 0;
}

static int read_value(const struct field *field, void *params, const char *value,
		      struct arena *arena)
{
	switch (field->type) {
	case FIELD_BOOL:
		return read_bool(field, params, value);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return read_number(field, params, value);
	case FIELD_CHOICE:
		return read_choice(field, params, value);
	case FIELD_ADDR:
		return read_addr(field, params, value);
	case FIELD_NAME:
	case FIELD_STRING:
		return read_text(field, params, value, arena);
	case FIELD_LABELS:
		return read_label(field, params, value, arena);
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
	case FIELD_ROWS:
		break;
	}
	return -EINVAL;
}

static void refuse_unknown(struct reading *reading, const char *name)
{
	const char *close = kind_suggest(&api_params_kind, name);

	if (close && !api_params_has_word(reading->allowed, close))
		close = NULL;
	reading->refused = true;
	api_problem(reading->call->request, "bad-request",
		    "unknown query parameter \"%.60s\"%s%s%s", name,
		    close ? "; did you mean \"" : "", close ? close : "", close ? "\"?" : "");
}

void api_params_allowed(const struct field *field, struct text *text)
{
	if (field->type == FIELD_LABELS)
		text_addf(text, "key=value, at most %u times", field->max_count);
	else
		value_allowed(field, text);
}

static void refuse_value(struct reading *reading, const struct field *field, const char *value)
{
	cleanup_text struct text text = {0};

	struct guess guess = guess_at(value);

	api_params_allowed(field, &text);
	for (unsigned i = 0; i < field->n_choices; i++)
		guess_offer(&guess, field->choices[i]);
	reading->refused = true;
	api_problem(reading->call->request, "bad-request",
		    "query parameter \"%s\" must be %s, not \"%.80s\"%s%s%s", field->name, text.s,
		    value, guess.meant ? "; did you mean \"" : "", guess.meant ? guess.meant : "",
		    guess.meant ? "\"?" : "");
}

static void refuse_repeated(struct reading *reading, const char *name)
{
	reading->refused = true;
	api_problem(reading->call->request, "bad-request", "query parameter \"%s\" is given twice",
		    name);
}

static void read_param(void *user, const char *name, const char *value)
{
	struct reading *reading = user;
	struct api_params *params = &reading->call->params;
	const struct field *field = kind_field(&api_params_kind, name);

	if (reading->refused)
		return;
	if (!field || !api_params_has_word(reading->allowed, name)) {
		refuse_unknown(reading, name);
		return;
	}
	uint64_t bit = kind_bit(&api_params_kind, field);
	if (params->set & bit && field->type != FIELD_LABELS)
		refuse_repeated(reading, name);
	else if (read_value(field, params, value, &reading->call->request->arena) < 0)
		refuse_value(reading, field, value);
	params->set |= bit;
}

/* What this route cannot be without. */
static void require(struct reading *reading)
{
	const struct api_params *params = &reading->call->params;

	for (unsigned i = 0; i < api_params_kind.n_fields && !reading->refused; i++) {
		const struct field *field = &api_params_kind.fields[i];

		if (!(field->flags & FIELD_REQUIRED) || params->set >> i & 1 ||
		    !api_params_has_word(reading->allowed, field->name))
			continue;
		reading->refused = true;
		api_problem(reading->call->request, "bad-request",
			    "query parameter \"%s\" is required", field->name);
	}
}

bool api_params_read(struct api_call *call, const char *allowed)
{
	struct reading reading = {.call = call, .allowed = allowed};

	http_query_each(call->request, read_param, &reading);
	require(&reading);
	kind_defaults(&api_params_kind, &call->params);
	return !reading.refused;
}

bool api_given(const struct api_call *call, const char *param)
{
	return call->params.set & kind_bit(&api_params_kind, kind_field(&api_params_kind, param));
}
