// SPDX-License-Identifier: BSD-3-Clause
// Errors that a person will read: what was tried, on what, why, what to do. Any thread.
#pragma once

#define ERR_MSG_SIZE 512
#define ERR_HINT_SIZE 256

// A fixed buffer, so that reporting an error never allocates. Zero-initialise it. `code` is a
// negative errno, or 0 when nothing was reported. `msg` and `hint` hold no newline.
struct rwy_err {
	int code;
	char msg[ERR_MSG_SIZE];
	char hint[ERR_HINT_SIZE];
};

// Records a failure and returns `code`, so that callers write `return err_set(err, -EINVAL, ..)`.
// `err` may be NULL. A second call replaces the first and clears the hint.
int err_set(struct rwy_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// Adds what the reader can do about it; returns err's code (or -EINVAL when err is NULL).
int err_hint(struct rwy_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Puts context in front of an existing message: "cannot add port 'a': " + msg. Returns err's code.
int err_prefix(struct rwy_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Takes context that err_prefix() put there away again, for a caller to whom it is a detail. A message that begins with
// something else stays. Returns err's code.
int err_strip(struct rwy_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
