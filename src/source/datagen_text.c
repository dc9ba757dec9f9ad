/*-------------------------------------------------------------------------
 *
 * datagen_text.c
 *	  The string strategies: made-up words, names, addresses and the like.
 *
 * Most are templates, drawn from a list (datagen_words.c).  In a template
 *
 *	#			a digit
 *	?			a small letter
 *	{name}		a text of the strategy or word list of that name
 *
 * The rest (addresses of machines, numbers with check digits, running text) are functions.  Everything is drawn
 * from the row's own random numbers.  E-mail addresses are of the example domains, which belong to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "source/datagen_internal.h"

#define MAX_NESTING 4 /* of templates in templates */

typedef bool (*TextFunction)(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error);

struct TextStrategy
{
	const char *name;
	TextFunction function; /* null: a line of the list of this name */
	bool counted;
};

/* ---- templates ---------------------------------------------------------------- */

static bool append_named(const char *name, size_t length, DatagenRandom *random, struct Buffer *out, int nesting,
						 IngestError *error);

static bool
append_template(const char *template, DatagenRandom *random, struct Buffer *out, int nesting, IngestError *error)
{
	for (const char *c = template; *c != '\0'; c++)
	{
		char drawn = *c;
		const char *end = *c == '{' ? strchr(c, '}') : NULL;

		if (end != NULL)
		{
			if (!append_named(c + 1, (size_t) (end - c - 1), random, out, nesting + 1, error))
				return false;
			c = end;
			continue;
		}
		if (*c == '#')
			drawn = (char) ('0' + (int) random_below(random, 10));
		else if (*c == '?')
			drawn = (char) ('a' + (int) random_below(random, 26));
		if (!buffer_append(out, &drawn, 1, error))
			return false;
	}
	return true;
}

static bool
append_from_list(const char *name, DatagenRandom *random, struct Buffer *out, int nesting, IngestError *error)
{
	size_t count = 0;
	const char *const *lines = text_words(name, &count);

	if (lines == NULL)
		return true;
	return append_template(lines[random_below(random, count)], random, out, nesting, error);
}

static bool
append_named(const char *name, size_t length, DatagenRandom *random, struct Buffer *out, int nesting,
			 IngestError *error)
{
	char copy[40];
	const TextStrategy *strategy;

	if (length >= sizeof(copy) || nesting > MAX_NESTING)
		return true;
	memcpy(copy, name, length);
	copy[length] = '\0';
	strategy = text_strategy_find(copy);
	if (strategy != NULL && strategy->function != NULL)
		return strategy->function(random, 1, out, error);
	return append_from_list(copy, random, out, nesting, error);
}

/* ---- running text ------------------------------------------------------------- */

static bool
append_words(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	for (uint64_t i = 0; i < count; i++)
		if ((i > 0 && !buffer_append(out, " ", 1, error)) || !append_from_list("word", random, out, 0, error))
			return false;
	return true;
}

static bool
append_sentence(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	size_t begin = out->length;

	if (count == 0)
		return true;
	if (!append_words(random, count, out, error))
		return false;
	out->data[begin] = (char) toupper((unsigned char) out->data[begin]);
	return buffer_append(out, ".", 1, error);
}

static bool
append_sentences(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	for (uint64_t i = 0; i < count; i++)
		if ((i > 0 && !buffer_append(out, " ", 1, error)) ||
			!append_sentence(random, 4 + (uint64_t) random_below(random, 7), out, error))
			return false;
	return true;
}

static bool
append_paragraphs(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	for (uint64_t i = 0; i < count; i++)
		if ((i > 0 && !buffer_append(out, "\n", 1, error)) ||
			!append_sentences(random, 3 + (uint64_t) random_below(random, 5), out, error))
			return false;
	return true;
}

/* Letters and digits. */
bool
text_append_alphanumeric(DatagenRandom *random, uint64_t length, struct Buffer *out, IngestError *error)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (!buffer_reserve(out, length, error))
		return false;
	for (uint64_t i = 0; i < length; i++)
		out->data[out->length++] = alphabet[random_below(random, sizeof(alphabet) - 1)];
	return true;
}

/* ---- names and addresses -------------------------------------------------------- */

/* A template in small letters, without spaces and quotes. */
static bool
append_handle(const char *template, DatagenRandom *random, struct Buffer *out, IngestError *error)
{
	size_t begin = out->length;
	size_t end = begin;

	if (!append_template(template, random, out, 0, error))
		return false;
	for (size_t i = begin; i < out->length; i++)
		if (out->data[i] != ' ' && out->data[i] != '\'')
			out->data[end++] = (char) tolower((unsigned char) out->data[i]);
	out->length = end;
	return true;
}

static bool
append_username(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	return append_handle("{first_name}_{last_name}##", random, out, error);
}

static bool
append_email(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	return append_handle("{first_name}.{last_name}@example.{example_domain}", random, out, error);
}

static bool
append_ipv4(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	uint32_t address = (uint32_t) random_next(random);

	(void) count;
	return buffer_printf(out, error, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
						 address & 255);
}

static bool
append_ipv6(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	for (int i = 0; i < 8; i++)
		if (!buffer_printf(out, error, "%s%x", i == 0 ? "" : ":", (unsigned) (random_next(random) & 0xffff)))
			return false;
	return true;
}

static bool
append_ip(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	return random_below(random, 2) == 0 ? append_ipv4(random, count, out, error)
										: append_ipv6(random, count, out, error);
}

static bool
append_mac_address(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	for (int i = 0; i < 6; i++)
		if (!buffer_printf(out, error, "%s%02X", i == 0 ? "" : ":", (unsigned) (random_next(random) & 0xff)))
			return false;
	return true;
}

/* ---- numbers ---------------------------------------------------------------------- */

static bool
append_status_code(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	return buffer_printf(out, error, "%u", 100 + (unsigned) random_below(random, 500));
}

static bool
append_coordinate(DatagenRandom *random, double bound, struct Buffer *out, IngestError *error)
{
	return buffer_printf(out, error, "%.6f", (random_unit(random) * 2 - 1) * bound);
}

static bool
append_latitude(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	return append_coordinate(random, 90, out, error);
}

static bool
append_longitude(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	(void) count;
	return append_coordinate(random, 180, out, error);
}

static void
draw_digits(DatagenRandom *random, int *digits, int count)
{
	for (int i = 0; i < count; i++)
		digits[i] = (int) random_below(random, 10);
}

/* 16 digits, the last after Luhn. */
static bool
append_credit_card_number(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	int digits[16];
	int sum = 0;

	(void) count;
	draw_digits(random, digits, 15);
	digits[0] = 4;
	for (int i = 0; i < 15; i++)
	{
		int weighted = i % 2 == 0 ? digits[i] * 2 : digits[i];

		sum += weighted > 9 ? weighted - 9 : weighted;
	}
	digits[15] = (10 - sum % 10) % 10;
	for (int i = 0; i < 16; i++)
		if (!buffer_printf(out, error, "%d", digits[i]))
			return false;
	return true;
}

static bool
append_isbn13(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	int digits[12] = {9, 7, 8};
	int sum = 0;

	(void) count;
	draw_digits(random, digits + 3, 9);
	for (int i = 0; i < 12; i++)
		sum += digits[i] * (i % 2 == 0 ? 1 : 3);
	return buffer_printf(out, error, "978-%d-%d%d%d-%d%d%d%d%d-%d", digits[3], digits[4], digits[5], digits[6],
						 digits[7], digits[8], digits[9], digits[10], digits[11], (10 - sum % 10) % 10);
}

static bool
append_isbn10(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	int digits[9];
	int sum = 0;
	int check;

	(void) count;
	draw_digits(random, digits, 9);
	for (int i = 0; i < 9; i++)
		sum += digits[i] * (10 - i);
	check = (11 - sum % 11) % 11;
	return buffer_printf(out, error, "%d-%d%d%d-%d%d%d%d%d-%c", digits[0], digits[1], digits[2], digits[3], digits[4],
						 digits[5], digits[6], digits[7], digits[8], check == 10 ? 'X' : '0' + check);
}

static bool
append_isbn(DatagenRandom *random, uint64_t count, struct Buffer *out, IngestError *error)
{
	return random_below(random, 2) == 0 ? append_isbn10(random, count, out, error)
										: append_isbn13(random, count, out, error);
}

/* ---- the strategies --------------------------------------------------------------- */

static const TextStrategy strategies[] = {
	{"word", NULL, false},
	{"words", append_words, true},
	{"sentence", append_sentence, true},
	{"sentences", append_sentences, true},
	{"paragraph", append_sentences, true},
	{"paragraphs", append_paragraphs, true},
	{"first_name", NULL, false},
	{"last_name", NULL, false},
	{"title", NULL, false},
	{"suffix", NULL, false},
	{"name", NULL, false},
	{"name_with_title", NULL, false},
	{"domain_suffix", NULL, false},
	{"email", append_email, false},
	{"username", append_username, false},
	{"password", text_append_alphanumeric, true},
	{"field", NULL, false},
	{"position", NULL, false},
	{"seniority", NULL, false},
	{"job_title", NULL, false},
	{"ipv4", append_ipv4, false},
	{"ipv6", append_ipv6, false},
	{"ip", append_ip, false},
	{"mac_address", append_mac_address, false},
	{"user_agent", NULL, false},
	{"rfc_status_code", NULL, false},
	{"valid_status_code", append_status_code, false},
	{"company_suffix", NULL, false},
	{"company_name", NULL, false},
	{"buzzword", NULL, false},
	{"buzzword_middle", NULL, false},
	{"buzzword_tail", NULL, false},
	{"catch_phrase", NULL, false},
	{"bs_verb", NULL, false},
	{"bs_adj", NULL, false},
	{"bs_noun", NULL, false},
	{"bs", NULL, false},
	{"profession", NULL, false},
	{"industry", NULL, false},
	{"currency_code", NULL, false},
	{"currency_name", NULL, false},
	{"currency_symbol", NULL, false},
	{"credit_card_number", append_credit_card_number, false},
	{"city_prefix", NULL, false},
	{"city_suffix", NULL, false},
	{"city_name", NULL, false},
	{"country_name", NULL, false},
	{"country_code", NULL, false},
	{"street_suffix", NULL, false},
	{"street_name", NULL, false},
	{"time_zone", NULL, false},
	{"state_name", NULL, false},
	{"state_abbr", NULL, false},
	{"secondary_address_type", NULL, false},
	{"secondary_address", NULL, false},
	{"zip_code", NULL, false},
	{"post_code", NULL, false},
	{"building_number", NULL, false},
	{"latitude", append_latitude, false},
	{"longitude", append_longitude, false},
	{"isbn", append_isbn, false},
	{"isbn13", append_isbn13, false},
	{"isbn10", append_isbn10, false},
	{"phone_number", NULL, false},
	{"cell_number", NULL, false},
	{"file_path", NULL, false},
	{"file_name", NULL, false},
	{"file_extension", NULL, false},
	{"dir_path", NULL, false},
};

/* The strategy of this name, or null. */
const TextStrategy *
text_strategy_find(const char *name)
{
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (strcmp(strategies[i].name, name) == 0)
			return &strategies[i];
	return NULL;
}

/* Does "range" say how much it makes? */
bool
text_strategy_is_counted(const TextStrategy *strategy)
{
	return strategy->counted;
}

/* Append one text of the strategy; see the header. */
bool
text_strategy_append(const TextStrategy *strategy, DatagenRandom *random, uint64_t count, struct Buffer *out,
					 IngestError *error)
{
	if (strategy->function != NULL)
		return strategy->function(random, count, out, error);
	return append_from_list(strategy->name, random, out, 0, error);
}
