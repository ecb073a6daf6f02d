/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone memory that was given back is overwritten first, so that whoever still reads it sees nonsense and not what
 * used to be there. The linker puts this in front of zalloc_free() (--wrap).
 */
#include <stddef.h>
#include <string.h>

void __real_zalloc_free(void *p, size_t size);
void __wrap_zalloc_free(void *p, size_t size);

void
__wrap_zalloc_free(void *p, size_t size)
{
	if (p != NULL)
		memset(p, 0xdb, size);
	__real_zalloc_free(p, size);
}
