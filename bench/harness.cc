/* SPDX-License-Identifier: Apache-2.0 */
/* The one C++ file: Google Benchmark's side of harness.h. */
#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace
{

/* Cycles of the time-stamp counter in a second, measured once over 50 ms. */
double
cycles_per_second()
{
	static const double value = [] {
		auto start = std::chrono::steady_clock::now();
		uint64_t from = bench_cycles();
		for (;;) {
			std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
			if (passed.count() >= 0.05)
				return static_cast<double>(bench_cycles() - from) / passed.count();
		}
	}();
	return value;
}

void
run_case(benchmark::State &state, const bench_case *c)
{
	void *context = c->set_up(c->arg);
	if (context == nullptr) {
		state.SkipWithError("set-up failed");
		return;
	}
	std::vector<uint64_t> samples;
	for (auto _ : state) {
		uint64_t spent = c->run(context);
		samples.push_back(spent);
		state.SetIterationTime(static_cast<double>(spent) / cycles_per_second());
	}
	double items = static_cast<double>(state.iterations()) * c->items;
	state.SetItemsProcessed(static_cast<int64_t>(items));
	auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
	std::nth_element(samples.begin(), middle, samples.end());
	state.counters["cycles"] = static_cast<double>(*middle) / c->items;
	state.counters["least"] = static_cast<double>(*std::min_element(samples.begin(), samples.end())) / c->items;
	c->tear_down(context);
}

} // namespace

void
bench_register(const bench_case *c)
{
	std::string name = std::string(c->name) + "/" + std::to_string(c->arg);
	benchmark::RegisterBenchmark(name.c_str(), [c](benchmark::State &state) {
		run_case(state, c);
	})->UseManualTime();
}

int
bench_run(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
