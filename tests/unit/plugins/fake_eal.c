// SPDX-License-Identifier: BSD-3-Clause
// Stands for librte_eal.so: prints what it is given, parses it as EAL does (getopt_long, reordering) and leaves the
// program's name before the rest.
#include <getopt.h>
#include <stdio.h>

int rte_eal_init(int argc, char **argv);

int rte_eal_init(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"vdev", required_argument, NULL, 1},
		{"no-huge", no_argument, NULL, 1},
		{"no-pci", no_argument, NULL, 1},
		{"lcores", required_argument, NULL, 1},
		{"fail", no_argument, NULL, 2},
		{NULL, 0, NULL, 0},
	};
	char *program = argv[0];
	printf("eal:");
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' || argv[i][1] != '-' || argv[i][2] != 'l')
			printf(" %s", argv[i]);
	}
	printf("\n");
	optind = 1;
	for (int found; (found = getopt_long(argc, argv, "l:m:n:", long_options, NULL)) != -1;) {
		if (found != 1 && found != 'l' && found != 'm' && found != 'n')
			return -1;
	}
	argv[optind - 1] = program;
	return optind - 1;
}
