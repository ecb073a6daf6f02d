/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files and folders of files, where there is no libFuzzer: corpora are ordinary tests then.
 *
 *     replay FILE-OR-FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static int
replay_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	if (in == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	uint8_t *data = malloc(1 << 20), *exact = NULL;
	size_t len = data != NULL ? fread(data, 1, 1 << 20, in) : 0;
	fclose(in);
	if (data == NULL || (exact = malloc(len > 0 ? len : 1)) == NULL)
		abort();
	memcpy(exact, data, len); /* of exact size, for sanitizers */
	free(data);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

/* Files that were run; -1: a path that cannot be read. */
static int
replay(const char *path)
{
	DIR *folder = opendir(path);
	if (folder == NULL)
		return replay_file(path);
	int n = 0;
	for (struct dirent *e; (e = readdir(folder)) != NULL && n >= 0;) {
		char below[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		int more = replay(below);
		n = more < 0 ? -1 : n + more;
	}
	closedir(folder);
	return n;
}

int
main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int n = replay(argv[i]);
		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
