// SPDX-License-Identifier: BSD-3-Clause
// Directories and sockets of ports. All names are relative to directories that we hold open, and
// no symbolic link is followed. Under the service's lock.
#include "daemon/ports/portdir.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PORTDIR_BACKLOG 16
#define PORTDIR_NAME_SIZE 32 // "net15.sock", "vhost.sock"
// linux/un.h's, which the C library's header does not go with.
#define PORTDIR_SIOCUNIXFILE 0x89E0
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

// Opens dir/name, made with mode when it is not there; its mode is set in any case.
static int open_dir(int dir_fd, const char *name, mode_t mode)
{
	if (mkdirat(dir_fd, name, mode) && errno != EEXIST)
		return -errno;
	_cleanup_close_ int fd = openat(dir_fd, name, DIR_FLAGS);
	if (fd < 0 || fchmod(fd, mode))
		return -errno;
	return fd_take(&fd);
}

static int lock_run_dir(const struct portdir *portdir, struct rwy_err *err)
{
	if (flock(portdir->run_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err_set(err, -EBUSY, "cannot use '%s': another ringwayd is running in it", portdir->run_dir
	);
	err_hint(err, "stop it, or give this one its own --run-dir and --state-dir");
	return -EBUSY;
}

static int check_length(const char *run_dir, struct rwy_err *err)
{
	const int limit = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	// The shortest that is needed: a container's place.
	int place = (int)strlen("/ports/0123456789abcdef/net15.sock");
	int size = snprintf(NULL, 0, "%s", run_dir) + place;
	if (size <= limit)
		return 0;
	err_set(err,
		-ENAMETOOLONG,
		"cannot use '%s' as run dir: sockets in it would have paths of %d bytes, the "
		"limit is %d",
		run_dir,
		size,
		limit);
	return err_hint(err, "use a --run-dir of at most %d bytes", limit - place);
}

int portdir_init(const char *run_dir, struct portdir *ret_portdir, struct rwy_err *err)
{
	struct portdir *p = ret_portdir;
	*p = (struct portdir){.run_fd = -1, .ports_fd = -1};
	int r = check_length(run_dir, err);
	if (r)
		return r;
	(void)snprintf(p->run_dir, sizeof(p->run_dir), "%s", run_dir); // Its length was checked.
	p->run_fd = open_dir(AT_FDCWD, run_dir, 0755);
	if (p->run_fd < 0)
		r = p->run_fd;
	else
		r = lock_run_dir(p, err);
	if (r == -EBUSY)
		return r;
	if (!r) {
		p->ports_fd = open_dir(p->run_fd, "ports", 0700);
		r = p->ports_fd < 0 ? p->ports_fd : 0;
	}
	if (r)
		return err_set(
			err, r, "cannot make the run directory '%s': %s", run_dir, strerror(-r)
		);
	return 0;
}

void portdir_fini(struct portdir *portdir)
{
	fd_close(&portdir->ports_fd);
	fd_close(&portdir->run_fd);
}

int portdir_path(
	const struct portdir *portdir,
	const char *place,
	const char *name,
	char ret_path[PATH_TEXT_SIZE],
	struct rwy_err *err
)
{
	const int limit = (int)sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char path[PATH_TEXT_SIZE];
	int size =
		snprintf(path, sizeof(path), "%s/ports/%s/%s.sock", portdir->run_dir, place, name);
	if (size > limit) {
		err_set(err,
			-ENAMETOOLONG,
			"the socket '%s/ports/%s/%s.sock' has %d bytes, the limit is %d",
			portdir->run_dir,
			place,
			name,
			size,
			limit);
		return err_hint(err, "use a shorter name for the port, or a shorter --run-dir");
	}
	memcpy(ret_path, path, sizeof(path));
	return 0;
}

int portdir_make_place(const struct portdir *portdir, const char *place, struct rwy_err *err)
{
	_cleanup_close_ int fd = open_dir(portdir->ports_fd, place, 0755);
	if (fd >= 0)
		return 0;
	return err_set(
		err,
		fd,
		"cannot make the directory '%s/ports/%s': %s",
		portdir->run_dir,
		place,
		strerror(-fd)
	);
}

void portdir_remove_place(const struct portdir *portdir, const char *place)
{
	int fd = openat(portdir->ports_fd, place, DIR_FLAGS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (!dir) {
		fd_close(&fd);
		return;
	}
	// Files only: nobody but us and the Docker side writes here, and they make no directories.
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(fd, entry->d_name, 0);	// What stays shows below.
	(void)closedir(dir);					// Read only.
	(void)unlinkat(portdir->ports_fd, place, AT_REMOVEDIR); // Swept at the next start.
}

static void socket_name(const char *name, char ret_file[PORTDIR_NAME_SIZE])
{
	(void)snprintf(ret_file, PORTDIR_NAME_SIZE, "%s.sock", name); // Names are ours, and short.
}

// Whatever the path led to: the socket has to be in the directory that we hold, and no link is followed to set its mode.
static int open_to_all(int place_fd, const char *file)
{
	char path[32];
	struct stat st;
	_cleanup_close_ int fd = openat(place_fd, file, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return errno == ENOENT ? -ELOOP : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); // It fits.
	return chmod(path, 0666) ? -errno : 0;
}

static int listen_in(int place_fd, const char *path, const char *file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path) + 1); // Its length was checked.
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (unlinkat(place_fd, file, 0) && errno != ENOENT))
		return -errno;
	// By its whole path, which the peer's name has to show.
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	int r = open_to_all(place_fd, file);
	if (r) {
		(void)unlink(path
		); // Where a link on the way led to. Nothing to do about a failure.
		return r;
	}
	return listen(fd, PORTDIR_BACKLOG) ? -errno : fd_take(&fd);
}

int portdir_listen(
	const struct portdir *portdir,
	const char *place,
	const char *name,
	struct rwy_err *err
)
{
	char path[PATH_TEXT_SIZE];
	char file[PORTDIR_NAME_SIZE];
	socket_name(name, file);
	int r = portdir_path(portdir, place, name, path, err);
	if (r)
		return r;
	_cleanup_close_ int place_fd = openat(portdir->ports_fd, place, DIR_FLAGS);
	int fd = place_fd < 0 ? -errno : listen_in(place_fd, path, file);
	if (fd < 0)
		err_set(err, fd, "cannot listen on '%s': %s", path, strerror(-fd));
	return fd;
}

// The file that a bound socket made. An O_PATH descriptor, or -errno.
static int open_file_of(int socket)
{
	int fd = ioctl(socket, PORTDIR_SIOCUNIXFILE);
	return fd < 0 ? -errno : fd;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool portdir_is_socket(
	const struct portdir *portdir,
	const char *place,
	const char *name,
	int listener
)
{
	struct stat there;
	struct stat ours;
	char file[PORTDIR_NAME_SIZE];
	socket_name(name, file);
	_cleanup_close_ int place_fd = openat(portdir->ports_fd, place, DIR_FLAGS);
	bool unknown = place_fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM);
	_cleanup_close_ int own_fd = open_file_of(listener);
	if (place_fd < 0) // Where it cannot be looked for (EMFILE), it counts as there.
		return unknown;
	if (fstatat(place_fd, file, &there, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(there.st_mode))
		return false;
	// Where that cannot be asked, its name has to do.
	return own_fd < 0 || (fstat(own_fd, &ours) == 0 && same_file(&there, &ours));
}

int portdir_renew(struct portdir *portdir, struct rwy_err *err)
{
	struct stat there;
	struct stat ours;
	if (fstatat(portdir->run_fd, "ports", &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(portdir->ports_fd, &ours) == 0 && same_file(&there, &ours))
		return 0;
	int fd = open_dir(portdir->run_fd, "ports", 0700);
	if (fd < 0)
		return err_set(
			err, fd, "cannot make '%s/ports': %s", portdir->run_dir, strerror(-fd)
		);
	fd_close(&portdir->ports_fd);
	portdir->ports_fd = fd;
	return 0;
}

bool portdir_is_there(const struct portdir *portdir)
{
	struct stat there;
	struct stat ours;
	return stat(portdir->run_dir, &there) == 0 && fstat(portdir->run_fd, &ours) == 0 &&
		same_file(&there, &ours);
}

void portdir_remove_socket(const struct portdir *portdir, const char *place, const char *name)
{
	char file[PORTDIR_NAME_SIZE];
	socket_name(name, file);
	_cleanup_close_ int place_fd = openat(portdir->ports_fd, place, DIR_FLAGS);
	if (place_fd >= 0)
		(void)unlinkat(place_fd, file, 0); // May be gone.
}

void portdir_sweep(
	const struct portdir *portdir,
	bool (*keep)(void *arg, const char *place),
	void *arg
)
{
	int fd = openat(portdir->ports_fd, ".", DIR_FLAGS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !keep(arg, entry->d_name))
			portdir_remove_place(portdir, entry->d_name);
	(void)closedir(dir); // Read only.
}

void portdir_remove(const struct portdir *portdir)
{
	(void)unlinkat(portdir->run_fd, "ports", AT_REMOVEDIR); // Stays while a place is in it.
}
