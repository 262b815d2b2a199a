/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files, where libFuzzer, which brings its own main, is not linked in.
 * Each file is read into a buffer of exactly its size, so that a sanitizer or valgrind sees an
 * overread. See HACKING.md, "Fuzzing".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (4L << 20)

/* Returns 0 when the target ran; a crash ends the program. */
static int run_file(const char *path)
{
	uint8_t *data = NULL;
	FILE *f = NULL;
	long size;
	int failed = 1;

	f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END) != 0)
		goto out;
	size = ftell(f);
	if (size < 0 || size > INPUT_MAX || fseek(f, 0, SEEK_SET) != 0)
		goto out;
	data = malloc(size > 0 ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		goto out;
	(void)LLVMFuzzerTestOneInput(data, (size_t)size);
	failed = 0;
out:
	if (failed)
		fprintf(stderr, "%s: cannot be read\n", path);
	free(data);
	if (f)
		(void)fclose(f);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= run_file(argv[i]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
