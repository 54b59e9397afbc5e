package config_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apimeld/agent/config"
)

// BenchmarkLoad loads 1,000 files of 500 bytes, cold.
func BenchmarkLoad(b *testing.B) {
	tree := memTree{"hooks.yaml": "kind: Webhook\nname: Ops Channel\nurl: ${secret:known}\n"}
	for i := range 1000 {
		tree[fmt.Sprintf("tasks/%04d.yaml", i)] = fmt.Sprintf(`kind: Task
name: Task number %d
description: One of very many tasks, which together make a large repository. It does nothing at all.
labels:
  team: team-%d
schedule:
  - cron: "%d %d 1 1 *"
    timezone: Europe/Berlin
timeout: 30m
retry:
  attempts: 3
  delay: 30s
env:
  SHOP: eu
  LEVEL: "7"
  ENDPOINT: https://shop.example.com/api/v3/orders
notify:
  - webhook: Ops Channel
    events: [failure, timeout]
script: |
  echo "number %d"
`, i, i%40, i%60, i%24, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, problems, err := config.Load(context.Background(), tree, config.Options{Parallel: 1}); err != nil || len(problems) > 0 {
			b.Fatal(problems, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/file")
}
