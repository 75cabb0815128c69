package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// report is what a run found.
type report struct {
	Machine machine  `json:"machine"`
	Rounds  int      `json:"rounds"`
	Results []result `json:"results"`
}

// result is one figure.
type result struct {
	figure

	BaselineValue float64   `json:"baseline"` // medians, in Unit
	ProductValue  float64   `json:"product"`
	Ratio         float64   `json:"ratio"` // median of the rounds, product to baseline; of an absolute figure the product's number
	RatioLeast    float64   `json:"ratio_least"`
	RatioMost     float64   `json:"ratio_most"`
	Met           bool      `json:"met"`
	Numbers       []numbers `json:"numbers"` // everything that was told, by round
}

// numbers are what the two sides told in one round, by unit.
type numbers struct {
	Baseline map[string]float64 `json:"baseline"`
	Product  map[string]float64 `json:"product"`
}

// settle computes the figure from the rounds.
func (r *result) settle() error {
	var base, own, ratios []float64
	for _, round := range r.Numbers {
		b, p := round.Baseline[r.Unit], round.Product[r.Unit]
		if _, told := round.Product[r.Unit]; !told {
			return fmt.Errorf("%s %s: the benchmark tells no %s", r.ID, r.Benchmark, r.Unit)
		}
		if b <= 0 && !r.Absolute {
			return fmt.Errorf("%s %s: the baseline is %v %s: nothing can be compared with it", r.ID, r.Benchmark, b, r.Unit)
		}
		base, own, ratios = append(base, b), append(own, p), append(ratios, r.compare(b, p))
	}
	r.BaselineValue, r.ProductValue, r.Ratio = median(base), median(own), median(ratios)
	r.RatioLeast, r.RatioMost = slices.Min(ratios), slices.Max(ratios)
	r.Met = r.met(r.Ratio)
	return nil
}

// compare is the ratio of a round, or the product's number where the target
// bounds that.
func (r *result) compare(baseline, product float64) float64 {
	if r.Absolute {
		return product
	}
	return product / baseline
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// table prints the report for people.
func (r *report) table(out io.Writer) error {
	m := r.Machine
	_, err := fmt.Fprintf(out, "%s, %s, %d CPUs, load %s before and %s after, %.0f fsyncs/s, %.0f MiB/s SHA-256; %d rounds\n\n",
		m.System, m.Go, m.CPUs, m.LoadBefore, m.LoadAfter, m.Fsyncs, m.Hashes, r.Rounds)
	if err != nil {
		return err
	}
	grid := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(grid, "FIGURE\tWHAT\tAGAINST\tBASELINE\tPRODUCT\tRATIO\tRANGE\tTARGET\tMET")
	for _, one := range r.Results {
		kind := ""
		if one.Absolute {
			kind = " " + one.Unit
		}
		met := "yes"
		if !one.Met {
			met = "NO"
		}
		fmt.Fprintf(grid, "%s\t%s\t%s\t%s\t%s\t%.2f%s\t%.2f to %.2f\t%s %g%s\t%s\n", one.ID, one.What, one.Against,
			quantity(one.BaselineValue, one.Unit), quantity(one.ProductValue, one.Unit),
			one.Ratio, kind, one.RatioLeast, one.RatioMost, one.Bound, one.Target, kind, met)
	}
	return grid.Flush()
}

func quantity(value float64, unit string) string {
	if value >= 1000 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.3g %s", value, unit)
}
