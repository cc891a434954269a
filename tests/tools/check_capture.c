// SPDX-License-Identifier: BSD-3-Clause
// Reads a capture that tcpdump -w made (the pcap format, Ethernet), and fails where a checksum or a length is
// wrong. One thread; capture.c judges the frames.
#include "base/mac.h"
#include "tests/tools/capture.h"

#include <byteswap.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define LINK_ETHERNET 1u
#define FRAME_MAX (256u << 10)
#define SAID_MAX 20
#define EXIT_USAGE 2

static const char usage[] =
	"usage: check-capture [options] FILE\n"
	"Checks all lengths and checksums of IPv4, TCP, UDP, ICMP and ICMPv6 in a capture of Ethernet frames, as\n"
	"tcpdump -s 0 -w writes it; - is standard input. Says what is wrong on standard error, and counts as a line of\n"
	"JSON on standard output. Fails if anything is wrong, or a frame was cut short by the capture.\n"
	"  --from MAC      only frames from this address\n"
	"  --not-from MAC  all frames but those from this address: a capture at the sender itself sees frames\n"
	"                  whose checksums its device is still to make\n"
	"  --unfinished    checksums may also be unfinished: the pseudo header's sum, as a host sees frames whose\n"
	"                  checksums are left to a device\n"
	"  --min N          fail if fewer frames were checked (1)\n";

struct header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap, link;
};

struct record {
	uint32_t seconds, fraction, kept, size;
};

struct options {
	const char *path;
	bool has_from, has_not_from, unfinished;
	uint8_t from[MAC_SIZE], not_from[MAC_SIZE];
	uint64_t min;
};

struct reader {
	FILE *file;
	bool swapped;
	uint64_t number;  // Of the record, from 1.
	uint64_t cut;	  // Frames that were not captured whole.
	uint64_t skipped; // By --from and --not-from.
};

static uint32_t order(const struct reader *reader, uint32_t value)
{
	return reader->swapped ? bswap_32(value) : value;
}

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "check-capture: cannot check %s: %s\n", path, why);
	return EXIT_FAILURE;
}

static int open_capture(struct reader *reader, const char *path)
{
	struct header header;

	reader->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!reader->file)
		return fail(path, strerror(errno));
	if (fread(&header, sizeof(header), 1, reader->file) != 1)
		return fail(path, "it has no pcap header");
	reader->swapped = bswap_32(header.magic) == MAGIC_US || bswap_32(header.magic) == MAGIC_NS;
	uint32_t magic = order(reader, header.magic);
	if (magic != MAGIC_US && magic != MAGIC_NS)
		return fail(path, "it is not in the pcap format");
	if ((order(reader, header.link) & 0xffff) != LINK_ETHERNET)
		return fail(
			path,
			"its frames are not Ethernet's: capture at one interface, not at 'any'"
		);
	return 0;
}

static bool is_wanted(const struct options *o, const uint8_t *frame, uint32_t size)
{
	if (size < 2 * MAC_SIZE)
		return true;
	if (o->has_from && memcmp(frame + MAC_SIZE, o->from, MAC_SIZE) != 0)
		return false;
	return !o->has_not_from || memcmp(frame + MAC_SIZE, o->not_from, MAC_SIZE) != 0;
}

// One record: 1, 0 at the end, -1 when the file is broken.
static int check_next(struct reader *reader, const struct options *o, struct capture *capture)
{
	static uint8_t frame[FRAME_MAX];
	struct record record;
	char why[160];
	size_t bytes = fread(&record, 1, sizeof(record), reader->file);

	if (bytes == 0)
		return ferror(reader->file) ? -1 : 0;
	uint32_t kept = order(reader, record.kept);
	if (bytes != sizeof(record) || kept > sizeof(frame) ||
	    fread(frame, 1, kept, reader->file) != kept)
		return -1;
	reader->number++;
	if (!is_wanted(o, frame, kept)) {
		reader->skipped++;
		return 1;
	}
	if (kept < order(reader, record.size)) {
		reader->cut++;
		return 1;
	}
	if (!capture_check(capture, frame, kept, why, sizeof(why)) && capture->wrong <= SAID_MAX)
		fprintf(stderr,
			"check-capture: frame %" PRIu64 " of %" PRIu32 " bytes: %s\n",
			reader->number,
			kept,
			why);
	return 1;
}

static void print_result(const struct reader *reader, const struct capture *capture)
{
	printf("{\"frames\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"cut\":%" PRIu64
	       ",\"skipped\":%" PRIu64 ",\"incomplete\":%u",
	       capture->frames,
	       capture->wrong,
	       reader->cut,
	       reader->skipped,
	       capture_pending(capture));
	for (int i = 0; i < CAPTURE_KIND_COUNT; i++)
		printf(",\"%s\":%" PRIu64, capture_kind_names[i], capture->kinds[i]);
	printf("}\n");
}

static int check_all(struct reader *reader, const struct options *o)
{
	static struct capture capture;
	int r = open_capture(reader, o->path);
	capture.takes_unfinished = o->unfinished;

	if (r)
		return r;
	do {
		r = check_next(reader, o, &capture);
	} while (r > 0);
	print_result(reader, &capture);
	if (r < 0)
		return fail(o->path, "it is damaged, or ends amid a frame");
	if (reader->cut)
		return fail(o->path, "frames were cut short: capture with tcpdump -s 0");
	if (capture.frames < o->min)
		return fail(o->path, "it has too few frames");
	return capture.wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool parse_option(int letter, const char *value, struct options *o)
{
	char *end = NULL;

	switch (letter) {
	case 'f':
		o->has_from = true;
		return mac_parse(value, o->from) == 0;
	case 'n':
		o->has_not_from = true;
		return mac_parse(value, o->not_from) == 0;
	case 'u':
		o->unfinished = true;
		return true;
	case 'm':

		o->min = strtoull(value, &end, 10);
		return end != value && !*end && *value != '-';
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"from", required_argument, NULL, 'f'},
		{"not-from", required_argument, NULL, 'n'},
		{"unfinished", no_argument, NULL, 'u'},
		{"min", required_argument, NULL, 'm'},
		{0},
	};
	struct options o = {.min = 1};
	struct reader reader = {0};
	int letter;
	bool is_good = true;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
		is_good = is_good && parse_option(letter, optarg, &o);
	if (!is_good || optind + 1 != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	o.path = argv[optind];
	int r = check_all(&reader, &o);
	if (reader.file && reader.file != stdin)
		(void)fclose(reader.file); // It was only read.
	return r;
}
