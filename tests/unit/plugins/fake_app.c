// SPDX-License-Identifier: BSD-3-Clause
// An application of fake_eal.c: starts EAL as every DPDK application does and prints what is left for itself.
// "fake-app-plugin plugin PATH ..." gets EAL with a library that it loads privately.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int rte_eal_init(int argc, char **argv);
#ifdef FAKE_APP_PLUGIN
#pragma weak rte_eal_init
#endif

static int start(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "plugin") != 0)
		return rte_eal_init(argc, argv);
	if (!dlopen(argv[2], RTLD_NOW | RTLD_LOCAL)) {
		printf("%s\n", dlerror());
		return -1;
	}
	argv[2] = argv[0];
	return rte_eal_init(argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	const int used = start(argc, argv);
	if (used < 0) {
		printf("app: failed\n");
		return 1;
	}
	if (argc > 2 && strcmp(argv[1], "plugin") == 0) {
		argc -= 2;
		argv += 2;
	}
	printf("app: %s", strrchr(argv[used], '/') + 1);
	for (int i = used + 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	return 0;
}
