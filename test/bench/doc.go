// Command bench measures what APM promises about speed and memory, each figure
// against a baseline in the same run: machines differ and are shared, ratios on
// one machine at one time do not. The figures are Go benchmarks, here and beside
// the code, that have a sub-benchmark "baseline" and one "product"; this command
// runs them in turns, baseline, product, baseline, product, and prints the median
// and the range of the ratio of each round.
//
// It never fails for a figure that is missed: it says so, with the value.
package main
