/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's files of cases; each function registers its own. */
#ifndef ANSER_BENCH_CASES_H
#define ANSER_BENCH_CASES_H

void bench_parts_cases(void);
void bench_engine_cases(void);
void bench_transfer_cases(void);
void bench_change_cases(void);
void bench_replace_cases(void);

#endif
