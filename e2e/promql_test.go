package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql" // a query parser that, unlike Prometheus's own, has no dependencies
	dto "github.com/prometheus/client_model/go"
)

// served holds the metrics of a scrape, by name.
type served map[string]*dto.MetricFamily

// targetLabels are the labels that Prometheus adds to everything it scrapes.
var targetLabels = []string{"job", "instance"}

// labels returns the names of a metric's labels.
func (s served) labels(name string) []string {
	all := map[string]bool{}
	for _, m := range s[name].GetMetric() {
		for _, label := range m.GetLabel() {
			all[label.GetName()] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// value returns the value of the series with these labels, or -1 if there is none.
func (s served) value(name string, labels ...string) float64 {
	for _, m := range s[name].GetMetric() {
		found := 0
		for _, label := range m.GetLabel() {
			for i := 0; i < len(labels); i += 2 {
				if label.GetName() == labels[i] && label.GetValue() == labels[i+1] {
					found += 2
				}
			}
		}
		if found == len(labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

// queried returns the metric family that a name in a query refers to, and the labels of its series.
func (s served) queried(name string) (*dto.MetricFamily, []string) {
	if family := s[name]; family != nil && family.GetType() != dto.MetricType_HISTOGRAM {
		return family, s.labels(name)
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && s[base].GetType() == dto.MetricType_HISTOGRAM {
			labels := s.labels(base)
			if suffix == "_bucket" {
				labels = append(labels, "le")
			}
			return s[base], labels
		}
	}
	return nil, nil
}

// overTime are the functions that require a range.
var overTime = []string{"rate", "irate", "increase", "delta", "max_over_time", "min_over_time", "avg_over_time"}

// problems returns everything in a query, or in a text about its result, that does not exist: metrics, labels, and label values
// that no series has.
func (s served) problems(query, text string) (found []string) {
	parsed, err := metricsql.Parse(query)
	if err != nil {
		return []string{err.Error()}
	}
	problem := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	var kept []string // the names of the result's labels
	within := func(e metricsql.Expr, labels []string) {
		for _, label := range labels {
			if !slices.Contains(s.within(e), label) {
				problem("there is no label %s in %s", label, e.AppendString(nil))
			}
		}
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			for _, p := range s.selected(e) {
				problem("%s", p)
			}
		case *metricsql.AggrFuncExpr:
			kept = append(kept, e.Modifier.Args...)
			for _, arg := range e.Args {
				if _, ok := arg.(*metricsql.NumberExpr); !ok { // the number in topk(5, …), for example
					within(arg, e.Modifier.Args)
				}
			}
		case *metricsql.BinaryOpExpr:
			within(e.Left, e.GroupModifier.Args)
			within(e.Right, e.GroupModifier.Args)
		case *metricsql.FuncExpr:
			if slices.Contains(overTime, e.Name) {
				if arg, ok := e.Args[0].(*metricsql.RollupExpr); !ok || arg.Window == nil {
					problem("%s needs a range", e.Name)
				}
			}
		}
	})
	if kept == nil {
		kept = s.within(parsed)
	}
	for _, label := range regexp.MustCompile(`{{\s*(\w+)\s*}}`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(append(kept, "$value"), label[1]) {
			problem("the text names the label %s, which the result has not", label[1])
		}
	}
	return found
}

// within returns the labels of all metrics in an expression.
func (s served) within(e metricsql.Expr) []string {
	all := slices.Clone(targetLabels)
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		if m, ok := e.(*metricsql.MetricExpr); ok {
			_, labels := s.queried(nameOf(m))
			all = append(all, labels...)
		}
	})
	return all
}

func nameOf(m *metricsql.MetricExpr) string {
	for _, alternative := range m.LabelFilterss {
		for _, filter := range alternative {
			if filter.Label == "__name__" {
				return filter.Value
			}
		}
	}
	return ""
}

// selected returns the problems with a selector.
func (s served) selected(m *metricsql.MetricExpr) (found []string) {
	family, labels := s.queried(nameOf(m))
	if family == nil {
		return []string{fmt.Sprintf("there is no metric %q", nameOf(m))}
	}
	for _, alternative := range m.LabelFilterss {
		for _, filter := range alternative {
			switch {
			case filter.Label == "__name__", slices.Contains(targetLabels, filter.Label):
			case !slices.Contains(labels, filter.Label):
				found = append(found, fmt.Sprintf("%s has no label %s", nameOf(m), filter.Label))
			case !has(family, filter):
				found = append(found, fmt.Sprintf("no %s has a %s that is %s", nameOf(m), filter.Label, filter.Value))
			}
		}
	}
	return found
}

// has reports whether a series has one of the values named by the filter. Excluded values must exist as well.
func has(family *dto.MetricFamily, filter metricsql.LabelFilter) bool {
	value := regexp.MustCompile("^(?:" + regexp.QuoteMeta(filter.Value) + ")$")
	if filter.IsRegexp {
		value = regexp.MustCompile("^(?:" + filter.Value + ")$")
	}
	for _, m := range family.GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == filter.Label && value.MatchString(label.GetValue()) {
				return true
			}
		}
	}
	return false
}

// TestQueriesAreChecked checks that nonexistent metrics and labels are detected.
func TestQueriesAreChecked(t *testing.T) {
	t.Parallel()
	name, value := "stream", "charges"
	one := []*dto.Metric{{Label: []*dto.LabelPair{{Name: &name, Value: &value}}}}
	s := served{
		"sent_total":   {Type: dto.MetricType_COUNTER.Enum(), Metric: one},
		"took_seconds": {Type: dto.MetricType_HISTOGRAM.Enum(), Metric: one},
	}
	tests := []struct{ query, text, want string }{
		{`sum by (stream) (rate(sent_total{stream="charges", job="x"}[5m]))`, "{{stream}}", ""},
		{`histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket[5m])))`, "", ""},
		{`topk(3, sent_total) / on (job) group_left sent_total offset 1h`, "{{ stream }}", ""},
		{`sum(rate(send_total[5m]))`, "", `there is no metric "send_total"`},
		{`took_seconds`, "", `there is no metric "took_seconds"`},
		{`sum by (le) (took_seconds_sum)`, "", "there is no label le in"},
		{`sent_total{account="x"}`, "", "has no label account"},
		{`sent_total{stream="charge"}`, "", "no sent_total has a stream that is charge"},
		{`sent_total{stream!~"charge|refund"}`, "", "no sent_total has a stream that is"},
		{`sum by (account) (sent_total)`, "", "there is no label account"},
		{`sent_total and on (account) took_seconds_sum`, "", "there is no label account"},
		{`rate(sent_total)`, "", "rate needs a range"},
		{`sum by (job) (sent_total)`, "{{stream}}", "which the result has not"},
		{`sum(`, "", "unparsed"},
	}
	for _, test := range tests {
		got := strings.Join(s.problems(test.query, test.text), "; ")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) && test.want != "unparsed" {
			t.Errorf("%s: got %q, want %q", test.query, got, test.want)
		}
	}
}
