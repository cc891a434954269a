// SPDX-License-Identifier: BSD-3-Clause
// Writes in batches: in order, each with its own result; and a ring that does nothing else.
#include "switch/tapbatch.h"
#include "tests/lib/unit.h"
#include "vring/frame.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void make_pair(int *pair)
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0
	);
}

struct round {
	struct iovec piece[FRAME_BURST_MAX][2];
	char text[FRAME_BURST_MAX][8];
	int results[FRAME_BURST_MAX];
};

// What the i-th write of a round comes to.
static int wanted(int i)
{
	switch (i) {
	case 7:
		return -EFAULT;
	case 9:
		return -EBADF;
	default:
		return 5;
	}
}

static void write_round(struct tap_batch *batch, struct round *round, int fd, void *gone)
{
	static char end[] = "end";

	for (int i = 0; i < FRAME_BURST_MAX; i++) {
		struct iovec *piece = round->piece[i];
		(void)snprintf(round->text[i], sizeof(round->text[i]), "%02d", i); // It fits.
		piece[0] = (struct iovec){.iov_base = round->text[i], .iov_len = 2};
		piece[1] = (struct iovec){.iov_base = i == 7 ? gone : end, .iov_len = 3};
		tap_batch_add(batch, i == 9 ? -1 : fd, piece, 2);
	}
	assert_true(tap_batch_run(batch, round->results));
}

static void check_round(const struct round *round, int fd)
{
	char got[16];

	for (int i = 0; i < FRAME_BURST_MAX; i++) {
		assert_int_equal(round->results[i], wanted(i));
		if (wanted(i) < 0)
			continue;
		assert_int_equal(read(fd, got, sizeof(got)), 5);
		assert_memory_equal(got, round->text[i], 2);
		assert_memory_equal(got + 2, "end", 3);
	}
}

static void test_in_order_with_results(void **state)
{
	struct tap_batch *batch = tap_batch_new();
	void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct round round;
	int pair[2];

	assert_non_null(batch);
	assert_ptr_not_equal(gone, MAP_FAILED);
	make_pair(pair);
	for (int i = 0; i < 100; i++) {
		write_round(batch, &round, pair[0], gone);
		check_round(&round, pair[1]);
	}
	assert_int_equal(munmap(gone, 4096), 0);
	close(pair[0]);
	close(pair[1]);
	tap_batch_free(batch);
}

// Whoever does not read stops nobody.
static void test_full_is_an_answer(void **state)
{
	struct tap_batch *batch = tap_batch_new();
	static char large[60000];
	const struct iovec piece = {.iov_base = large, .iov_len = sizeof(large)};
	int results[FRAME_BURST_MAX];
	int pair[2];

	assert_non_null(batch);
	make_pair(pair);
	for (int i = 0; i < FRAME_BURST_MAX; i++)
		tap_batch_add(batch, pair[0], &piece, 1);
	assert_true(tap_batch_run(batch, results));
	assert_int_equal(results[0], sizeof(large));
	assert_int_equal(results[FRAME_BURST_MAX - 1], -EAGAIN);
	close(pair[0]);
	close(pair[1]);
	tap_batch_free(batch);
}

// The descriptor of the ring, which is the only one of this process.
static int find_ring(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char target[64] = "";
		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
		    strcmp(target, "anon_inode:[io_uring]") == 0)
			found = (int)strtol(entry->d_name, NULL, 10);
	}
	assert_int_equal(closedir(dir), 0);
	return found;
}

static void test_the_ring_cannot_be_changed(void **state)
{
	struct tap_batch *batch = tap_batch_new();
	const int fd = STDIN_FILENO;

	assert_non_null(batch);
	int ring = find_ring();
	assert_true(ring >= 0);
	errno = 0;
	assert_int_equal(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1), -1);
	assert_int_equal(errno, EACCES);
	tap_batch_free(batch);
	assert_int_equal(find_ring(), -1);
}

// What a ring could do that no filter of system calls sees.
static void prepare_forbidden(struct io_uring_sqe *sqe, int kind, int fd)
{
	static char buffer[16];
	static const struct iovec piece = {.iov_base = buffer, .iov_len = sizeof(buffer)};
	static const struct sockaddr address = {.sa_family = AF_UNIX};
	static struct open_how how = {.flags = O_RDONLY};

	switch (kind) {
	case 0:
		return io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	case 1:
		return io_uring_prep_openat2(sqe, AT_FDCWD, "/etc/passwd", &how);
	case 2:
		return io_uring_prep_socket(sqe, AF_UNIX, SOCK_STREAM, 0, 0);
	case 3:
		return io_uring_prep_connect(sqe, fd, &address, sizeof(address));
	case 4:
		return io_uring_prep_accept(sqe, fd, NULL, NULL, 0);
	case 5:
		return io_uring_prep_read(sqe, fd, buffer, sizeof(buffer), 0);
	case 6:
		return io_uring_prep_write(sqe, fd, buffer, sizeof(buffer), 0);
	case 7:
		return io_uring_prep_send(sqe, fd, buffer, sizeof(buffer), 0);
	case 8:
		return io_uring_prep_read_fixed(sqe, 0, buffer, sizeof(buffer), 0, 0);
	case 9:
		return io_uring_prep_write_fixed(sqe, 0, buffer, sizeof(buffer), 0, 0);
	case 10:
		return io_uring_prep_files_update(sqe, &fd, 1, 0);
	case 11:
		return io_uring_prep_close(sqe, fd);
	case 12:
		return io_uring_prep_unlinkat(sqe, AT_FDCWD, "/nothing", 0);
	case 13:
		return io_uring_prep_nop(sqe);
	case 14: // The operation that is allowed, with a flag that is not.
		io_uring_prep_writev(sqe, 0, &piece, 1, 0);
		return io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	case 15:
		io_uring_prep_writev(sqe, fd, &piece, 1, 0);
		return io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	default: // Numbers of later kernels.
		io_uring_prep_nop(sqe);
		sqe->opcode = (uint8_t)(IORING_OP_LAST + kind);
	}
}

#define FORBIDDEN 64

static void test_the_ring_does_nothing_else(void **state)
{
	struct tap_batch *batch = tap_batch_new();
	int pair[2];
	char byte;

	assert_non_null(batch);
	make_pair(pair);
	struct io_uring *ring = (struct io_uring *)batch; // Its first member.
	for (int kind = 0; kind < FORBIDDEN; kind++) {
		struct io_uring_cqe *cqe = NULL;
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		assert_non_null(sqe);
		prepare_forbidden(sqe, kind, pair[0]);
		assert_int_equal(io_uring_submit_and_wait(ring, 1), 1);
		assert_int_equal(io_uring_peek_cqe(ring, &cqe), 0);
		if (cqe->res != -EACCES && cqe->res != -EINVAL)
			fail_msg("the ring did %d: %d", kind, cqe->res);
		if (kind <
		    16) // Known ones are refused by the restriction, and not for their arguments.
			assert_int_equal(cqe->res, -EACCES);
		io_uring_cqe_seen(ring, cqe);
	}
	assert_int_equal(recv(pair[1], &byte, 1, 0), -1); // Nothing went out, and it is open still.
	assert_int_equal(errno, EAGAIN);
	close(pair[0]);
	close(pair[1]);
	tap_batch_free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_with_results),
		cmocka_unit_test(test_full_is_an_answer),
		cmocka_unit_test(test_the_ring_cannot_be_changed),
		cmocka_unit_test(test_the_ring_does_nothing_else),
	};
	struct tap_batch *batch = tap_batch_new();

	if (!batch) {
		print_message("skipped: no io_uring: %s\n", strerror(errno));
		return 77; // meson: skipped.
	}
	tap_batch_free(batch);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
