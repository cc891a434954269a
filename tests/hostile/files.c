// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of what stands behind a memory region: anything but a file in memory that is open for writing.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGE_PAGE (2ull << 20)

// Running rings, whose first region is then backed by fd, ours or a negative errno.
static int play_file(struct play *play, int fd)
{
	struct message_regions table = {.count = 1};
	struct message_header header = {
		.request = MESSAGE_SET_MEM_TABLE, .flags = MESSAGE_VERSION, .size = 8 + 32};

	if (fd < 0)
		return fd;
	int r = play_start(play, NULL);
	table.region[0] = r ? (struct message_region){0} : front_region_message(play->front, 0);
	if (!r)
		r = front_message(play->front, &header, &table, &fd, 1);
	(void)close(fd); // It was only sent.
	return r;
}

static int or_errno(int fd)
{
	return fd < 0 ? -errno : fd;
}

// Large enough for any region of the default configuration.
static int sized(int fd)
{
	if (fd >= 0 && ftruncate(fd, 64 << 20)) {
		int r = -errno;
		(void)close(fd); // Ours, and of no use.
		return r;
	}
	return or_errno(fd);
}

static int play_pipe(struct play *play)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	(void)close(fds[0]); // Not needed.
	return play_file(play, fds[1]);
}

static int play_dir(struct play *play)
{
	return play_file(play, or_errno(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}

static int play_socket(struct play *play)
{
	return play_file(play, or_errno(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

static int play_eventfd(struct play *play)
{
	return play_file(play, or_errno(eventfd(0, EFD_CLOEXEC)));
}

static int play_epoll(struct play *play)
{
	return play_file(play, or_errno(epoll_create1(EPOLL_CLOEXEC)));
}

static int play_path(struct play *play)
{
	return play_file(play, or_errno(open("/proc/self/exe", O_PATH | O_CLOEXEC)));
}

static int play_device(struct play *play)
{
	return play_file(play, or_errno(open("/dev/zero", O_RDWR | O_CLOEXEC)));
}

static int play_read_only(struct play *play)
{
	return play_file(play, or_errno(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)));
}

// A memfd as it has to be, but opened again without writing.
static int play_memfd_read_only(struct play *play)
{
	char path[64];
	int fd = sized(memfd_create("front", MFD_CLOEXEC));

	if (fd < 0)
		return fd;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); // It fits.
	int again = or_errno(open(path, O_RDONLY | O_CLOEXEC));
	(void)close(fd); // The other one is sent.
	return play_file(play, again);
}

static int play_sealed(struct play *play)
{
	int fd = sized(memfd_create("front", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	if (fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))
		return -errno;
	return play_file(play, fd);
}

static bool is_in_memory(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
}

// An ordinary file of a disk, where there is one.
static int play_disk(struct play *play)
{
	static const char *const places[] = {".", "/var/tmp", "/tmp"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = sized(open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
		if (fd < 0)
			continue;
		if (!is_in_memory(fd))
			return play_file(play, fd);
		(void)close(fd); // Another place, perhaps.
	}
	return -EOPNOTSUPP;
}

static int play_secret(struct play *play)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	if (fd < 0)
		return -EOPNOTSUPP; // A kernel without, or it is turned off there.
	return play_file(play, sized(fd));
}

// Huge pages that nobody has: it maps, and the first touch is a SIGBUS.
static int play_no_pages(struct play *play)
{
	int fd = memfd_create("front", MFD_CLOEXEC | MFD_HUGETLB);
	const uint64_t pages = 1 << 14;

	if (fd < 0)
		return -EOPNOTSUPP;
	if (ftruncate(fd, (off_t)(pages * HUGE_PAGE))) {
		(void)close(fd); // Ours, and of no use.
		return -EOPNOTSUPP;
	}
	struct front_config config = {.add_regions = true};
	int r = play_start(play, &config);
	struct message_slot slot = {
		.region = {.gpa = 1ull << 40, .size = pages * HUGE_PAGE, .user = 1ull << 46}};
	if (!r)
		r = front_request_ack(play->front, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), fd);
	(void)close(fd); // It was only sent.
	if (r)
		return r > 0 ? -EPROTO : r;
	play_put(
		play,
		0,
		&(struct front_desc
		){.addr = slot.region.gpa + (pages - 1) * HUGE_PAGE, .size = 1000}
	);
	return play_spring(play, 1);
}

#define NO_MEMORY QUARANTINED("not shared memory")
#define NOT_WRITABLE QUARANTINED("not open for writing")

// A case a row.
// clang-format off
const struct hostile_case file_cases[] = {
	{9, "no-pages", "huge pages that are not there", play_no_pages,
	 .split = QUARANTINED("took back memory"), .packed = QUARANTINED("took back memory")},
	{10, "region-pipe", "a pipe as a region's file", play_pipe,
	 .split = NOT_WRITABLE},
	{10, "region-dir", "a directory as a region's file", play_dir,
	 .split = NOT_WRITABLE},
	{10, "region-socket", "a socket as a region's file", play_socket,
	 .split = NO_MEMORY},
	{10, "region-eventfd", "an eventfd as a region's file", play_eventfd,
	 .split = NO_MEMORY},
	{10, "region-epoll", "an epoll set as a region's file", play_epoll,
	 .split = NO_MEMORY},
	{10, "region-path", "an O_PATH descriptor as a region's file", play_path,
	 .split = NOT_WRITABLE},
	{10, "region-device", "/dev/zero as a region's file", play_device,
	 .split = NO_MEMORY},
	{10, "region-read-only", "a read-only file of a disk", play_read_only,
	 .split = NOT_WRITABLE},
	{10, "region-memfd-read-only", "a read-only memory file", play_memfd_read_only,
	 .split = NOT_WRITABLE},
	{10, "region-sealed", "a memory file sealed against writing", play_sealed,
	 .split = QUARANTINED("cannot map")},
	{10, "region-disk", "a file of a disk", play_disk,
	 .split = NO_MEMORY},
	{10, "region-secret", "secret memory, which the kernel does not map twice", play_secret,
	 .split = NO_MEMORY},
	{0},
};
// clang-format on
