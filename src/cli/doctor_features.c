// SPDX-License-Identifier: BSD-3-Clause
// What this kernel has: by the modules that are loaded, its configuration, and the lists of modules. No single one of them is on every
// host: a container has the first alone. One thread.
#include "base/cleanup.h"
#include "cli/doctor_read.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define CONFIG_SIZE_MAX (2u << 20)

// gzread() reads plain files too.
static char *read_gzip(const char *path)
{
	gzFile file = path ? gzopen(path, "re") : NULL;
	char *text = file ? malloc(CONFIG_SIZE_MAX) : NULL;
	int n = text ? gzread(file, text, CONFIG_SIZE_MAX - 1) : -1;
	if (file)
		(void)gzclose(file); // Only read.
	if (n <= 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

char *doctor_read_config(const struct doctor *d)
{
	char release[READ_LINE_SIZE];
	(void)doctor_read(d, release, sizeof(release), "/proc/sys/kernel/osrelease");
	_cleanup_free_ char *running = doctor_path(d, "/proc/config.gz");
	_cleanup_free_ char *boot = doctor_path(d, "/boot/config-%s", release);
	_cleanup_free_ char *modules = doctor_path(d, "/lib/modules/%s/config", release);
	char *text = read_gzip(running);
	if (!text && release[0])
		text = read_gzip(boot);
	if (!text && release[0])
		text = read_gzip(modules);
	return text;
}

// 'y', 'm', 'n', or 0: nothing is known.
static char configured(const struct doctor *d, const char *option)
{
	size_t length = strlen(option);
	const char *at = d->kernel_config;
	if (!at)
		return 0;
	while ((at = strstr(at, option))) {
		bool starts = at == d->kernel_config || at[-1] == '\n';
		at += length;
		if (starts && at[0] == '=')
			return at[1];
	}
	return 'n'; // "# CONFIG_X is not set", or an option that this kernel does not know.
}

// Whether a list of modules ("kernel/net/veth.ko.xz: ..") has this one, in which '-' and '_' are the same.
static bool lists_module(const char *text, const char *module)
{
	size_t length = strlen(module);
	while (text && (text = strchr(text, '/'))) {
		size_t i = 0;
		text++;
		while (i < length && (text[i] == module[i] || (text[i] == '-' && module[i] == '_')))
			i++;
		if (i == length && strncmp(text + i, ".ko", 3) == 0)
			return true;
	}
	return false;
}

static enum doctor_feature by_modules(const struct doctor *d, const char *module)
{
	char release[READ_LINE_SIZE];
	(void)doctor_read(d, release, sizeof(release), "/proc/sys/kernel/osrelease");
	_cleanup_free_ char *built_in =
		doctor_read_all(d, "/lib/modules/%s/modules.builtin", release);
	_cleanup_free_ char *loadable = doctor_read_all(d, "/lib/modules/%s/modules.dep", release);
	if (lists_module(built_in, module))
		return FEATURE_BUILT_IN;
	if (lists_module(loadable, module))
		return FEATURE_LOADABLE;
	return built_in && loadable ? FEATURE_ABSENT : FEATURE_UNKNOWN;
}

enum doctor_feature doctor_feature(const struct doctor *d, const char *option, const char *module)
{
	char said = configured(d, option);
	if (said == 'y')
		return FEATURE_BUILT_IN;
	if (module && doctor_exists(d, "/sys/module/%s", module))
		return FEATURE_LOADED;
	if (said == 'n')
		return FEATURE_ABSENT;
	// A module by the configuration may not be installed.
	return module ? by_modules(d, module) : FEATURE_UNKNOWN;
}

const char *doctor_feature_name(enum doctor_feature feature)
{
	static const char *const names[] = {
		[FEATURE_UNKNOWN] = "unknown",
		[FEATURE_ABSENT] = "missing",
		[FEATURE_LOADABLE] = "loadable",
		[FEATURE_LOADED] = "loaded",
		[FEATURE_BUILT_IN] = "built in",
	};
	return names[feature];
}
