/* SPDX-License-Identifier: Apache-2.0 */
/* anserbench: every case; Google Benchmark's flags choose (--benchmark_filter=REGEX, --benchmark_format=json). */
#include "bench/cases.h"
#include "bench/harness.h"

int
main(int argc, char **argv)
{
	bench_parts_cases();
	bench_engine_cases();
	bench_transfer_cases();
	bench_change_cases();
	bench_replace_cases();
	return bench_run(argc, argv);
}
